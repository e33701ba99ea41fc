#include "core/probed.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace nsb {
namespace {

/// By function, its own time in the call.
std::map<std::size_t, double> own_times(const ProbedCase& probed) {
    std::map<std::size_t, double> own;
    for (const CallNode& node : probed.calls) {
        if (node.stage == Stage::call) own[node.function] += node.self;
    }
    return own;
}

/// The traced functions that an operation's first phase begins with.
struct FirstFunctions {
    bool is_any = false;
    std::array<std::string_view, 5> names{};

    [[nodiscard]] constexpr bool has(std::string_view function) const {
        return is_any || std::ranges::find(names, function) != names.end();
    }
};

constexpr FirstFunctions first_functions(bool is_any, std::initializer_list<std::string_view> names) {
    FirstFunctions made{is_any, {}};
    // Each by itself: what GCC 12 leaves to default it cannot read in a static_assert.
    for (std::size_t i = 0; i < made.names.size(); ++i) {
        made.names[i] = i < names.size() ? names.begin()[i] : std::string_view();
    }
    return made;
}

constexpr FirstFunctions functions(std::initializer_list<std::string_view> names) {
    return first_functions(false, names);
}

constexpr FirstFunctions any_function = first_functions(true, {});

constexpr auto kFirstFunctions = std::to_array<FirstFunctions>({
#define NSB_OPERATION(name, syscall, begins, ...) begins,
#include "core/operations.def"
#undef NSB_OPERATION
});

constexpr bool all_are_traced() {
    for (const FirstFunctions& one : kFirstFunctions) {
        for (const std::string_view name : one.names) {
            bool found = name.empty();
            for (const TracedFunction& traced : kTraced) found = found || traced.name == name;
            if (!found) return false;
        }
    }
    return true;
}
static_assert(all_are_traced(), "operations.def has a function that bpf/functions.def has not");

}  // namespace

std::string_view to_string(Stage stage) {
    return std::array<std::string_view, 4>{"call", "prepare", "destroy",
                                           "async"}[static_cast<std::size_t>(stage)];
}

Stage stage_of(std::size_t function, Operation operation) {
    const TracedFunction& traced = kTraced[function];
    if (traced.path == Path::async) return Stage::async;
    if (traced.path == Path::destroy) return Stage::destroy;
    if (kFirstFunctions[static_cast<std::size_t>(operation)].has(traced.name)) return Stage::call;
    return traced.role == Role::ends_too ? Stage::destroy : Stage::prepare;
}

bool is_whole_call_timed(Operation operation) {
    return !kFirstFunctions[static_cast<std::size_t>(operation)].is_any ||
           info(operation).phases.contains(Phase::start);
}

std::vector<Added> added(const ProbedCase& probed, const ProbedCase& base) {
    std::map<std::size_t, double> own = own_times(probed);
    for (const auto& [function, ticks] : own_times(base)) own[function] -= ticks;
    std::vector<Added> sorted;
    for (const auto& [function, ticks] : own) {
        if (std::abs(ticks) >= 0.5) sorted.push_back({function, ticks});
    }
    std::ranges::stable_sort(sorted, std::ranges::greater{}, &Added::ticks);
    return sorted;
}

CallSum sum_of_call(const ProbedCase& probed) {
    CallSum sum;
    for (const CallNode& node : probed.calls) {
        if (node.stage != Stage::call) continue;
        sum.calls += node.calls.value_or(0);
        if (node.caller) continue;
        sum.ticks += node.total;
        sum.samples += node.samples;
    }
    return sum;
}

}  // namespace nsb
