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

/// What an operation's first phase begins with: one of these.
bool begins_first_phase(std::string_view function, Operation operation) {
    switch (operation) {
        case Operation::unshare:
            return function == "ksys_unshare";
        case Operation::setns:
            return function == "__x64_sys_setns";
        case Operation::proc_remount:
            // By mount(2), or by fsopen(2), fsconfig(2) and fsmount(2), of which the first two are not
            // traced.
            return function == "__x64_sys_mount" || function == "__x64_sys_fsmount" ||
                   function == "path_mount" || function == "proc_init_fs_context" ||
                   function == "vfs_get_tree";
        case Operation::userns_map:
            return false;  // it writes files
        case Operation::container:
            return true;  // all up to its program is one phase
        default:
            return function == "kernel_clone" || function == "copy_process";
    }
}

}  // namespace

std::string_view to_string(Stage stage) {
    return std::array<std::string_view, 4>{"call", "prepare", "destroy",
                                           "async"}[static_cast<std::size_t>(stage)];
}

Stage stage_of(std::size_t function, Operation operation) {
    const TracedFunction& traced = kTraced[function];
    if (traced.path == Path::async) return Stage::async;
    if (traced.path == Path::destroy) return Stage::destroy;
    if (begins_first_phase(traced.name, operation)) return Stage::call;
    // The end of a process calls it where exit_task_namespaces is not traced.
    if (traced.name == "switch_task_namespaces") return Stage::destroy;
    return Stage::prepare;
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
