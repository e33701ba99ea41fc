#include "core/case.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"

namespace nsb {
namespace {

template <typename Visit>
void for_each_parameter(Operation operation, Visit visit) {
    for (std::size_t i = 0; i < kParameters; ++i) {
        const auto parameter = static_cast<Parameter>(i);
        if (info(operation).parameters.contains(parameter)) visit(parameter);
    }
}

std::optional<Parameter> find_parameter(Operation operation, std::string_view key) {
    std::optional<Parameter> found;
    for_each_parameter(operation, [&](Parameter parameter) {
        if (info(parameter).key == key) found = parameter;
    });
    return found;
}

/// The system call that an operation's first phase is of: `other` in the cases that a rule is true of.
struct Syscall {
    std::string_view usual, other;
    bool (*is_other)(const Case&);
    Parameter by{};  ///< whose choices these are the calls of, where there are any
    std::array<std::string_view, 5> of_choice{};
};

constexpr Syscall always(std::string_view call) {
    return {call, {}, [](const Case& /*c*/) { return false; }, {}, {}};
}

constexpr Syscall either(std::string_view usual, std::string_view other, bool (*is_other)(const Case&)) {
    return {usual, other, is_other, {}, {}};
}

constexpr Syscall chosen(Parameter by, std::array<std::string_view, 5> calls) {
    return {{}, {}, nullptr, by, calls};
}

bool with_time(const Case& c) {
    return c.set.contains(Kind::time);
}

/// clone3(2) alone has the flags for these.
bool with_time_or_empty(const Case& c) {
    return with_time(c) || (c.set.contains(Kind::mnt) &&
                            c.value(Parameter::mntns) == static_cast<std::uint64_t>(ContainerMntns::empty));
}

bool via_fsmount(const Case& c) {
    return c.value(Parameter::mount_via) == static_cast<std::uint64_t>(MountVia::fsmount);
}

/// `c` under the conditions of `other`, as far as it can have any.
Case under_the_same(Case c, const Case& other) {
    for (const ConditionInfo& condition : kConditions) {
        if (c.has(condition.parameter)) c = c.with(condition.parameter, other.value(condition.parameter));
    }
    return c;
}

/// A phase that a case has only with some choices of a parameter.
struct PhaseOfChoices {
    Phase phase;
    Parameter parameter;
    std::uint64_t choices;  ///< bits
};

template <typename... Choices>
constexpr std::uint64_t choices(Choices... choices) {
    return ((std::uint64_t{1} << static_cast<unsigned>(choices)) | ...);
}

constexpr auto kPhasesOfChoices = std::to_array<PhaseOfChoices>({
    {Phase::migrate, Parameter::cgroup_via, choices(CgroupVia::migrate)},
    {Phase::move, Parameter::made, choices(Made::moved)},
    // The others begin in the new root.
    {Phase::pivot, Parameter::mntns, choices(ContainerMntns::clone, ContainerMntns::unshare)},
});

constexpr auto kSyscalls = std::to_array<Syscall>({
#define NSB_OPERATION(name, syscall, begins, ...) syscall,
#include "core/operations.def"
#undef NSB_OPERATION
});

}  // namespace

Case Case::of(Operation operation, KindSet set) {
    Case c{operation, set, {}};
    for_each_parameter(operation,
                       [&](Parameter p) { c.values[static_cast<std::size_t>(p)] = info(p).initial; });
    return c;
}

Case Case::with(Parameter parameter, std::uint64_t value) const {
    Case changed = *this;
    changed.values[static_cast<std::size_t>(parameter)] = value;
    return changed;
}

bool Case::takes_time_of(Phase phase) const {
    if (!info(operation).phases.contains(phase) || !set.contains(nsb::info(phase).needs)) return false;
    return std::ranges::all_of(kPhasesOfChoices, [&](const PhaseOfChoices& one) {
        return one.phase != phase || (one.choices >> value(one.parameter) & 1U) != 0;
    });
}

std::vector<Phase> Case::phases() const {
    std::vector<Phase> phases;
    for (std::size_t i = 0; i < kPhases; ++i) {
        const auto phase = static_cast<Phase>(i);
        if (!takes_time_of(phase)) continue;
        if (phase == Phase::drain && (!set.intersects(kTornDownLater) || left_by_conditions(*this) > 0))
            continue;
        phases.push_back(phase);
    }
    return phases;
}

std::optional<Case> Case::base(KindSet base_set) const {
    if (value(Parameter::twin) != 0) return with(Parameter::twin, 0);
    if (info(operation).base != operation) return under_the_same(Case::of(info(operation).base, set), *this);
    if (set.empty() || set == base_set || !info(operation).takes(KindSet{})) return std::nullopt;
    Case base = *this;
    base.set = base_set;
    // Without a mount namespace there is one way to none.
    if (!base_set.contains(Kind::mnt)) base = base.with(Parameter::mntns, info(Parameter::mntns).initial);
    return base;
}

Case Case::through_userns() const {
    Case c = *this;
    // One is timed inside a user namespace that the holder owns: its own set stays what is measured.
    if (!has(Trait::held) && !set.empty()) c.set = c.set | Kind::user;
    return c;
}

std::string_view Case::syscall() const {
    const Syscall& call = kSyscalls[static_cast<std::size_t>(operation)];
    if (call.is_other == nullptr) return call.of_choice[value(call.by)];
    return call.is_other(*this) ? call.other : call.usual;
}

std::uint64_t left_by_conditions(const Case& c) {
    std::uint64_t left = 0;
    for (const KindInfo& kind : kKinds) {
        if (kWaitedFor.contains(kind.kind)) left += left_with_conditions(c.values, kind.kind, 0);
    }
    return left;
}

std::string format_value(Parameter parameter, std::uint64_t value) {
    const ParameterInfo& p = info(parameter);
    switch (p.type) {
        case ParameterType::size:
            return format_size(value);
        case ParameterType::count:
            return std::to_string(value);
        case ParameterType::choice:
            return std::string(p.choices()[value]);
    }
    return "";
}

tl::expected<std::uint64_t, std::string> parse_value(Parameter parameter, std::string_view text) {
    const ParameterInfo& p = info(parameter);
    switch (p.type) {
        case ParameterType::size: {
            const auto size = parse_size(text);
            if (size && *size >= p.low && *size <= p.high && *size % kPage == 0) return *size;
            return tl::unexpected(fmt::format("a size from {} to {} in multiples of {}, such as 64K or 1M",
                                              format_size(p.low), format_size(p.high), format_size(kPage)));
        }
        case ParameterType::count:
            return parse_count(text, p.low, p.high);
        case ParameterType::choice:
            for (std::size_t i = 0; i < p.choices().size(); ++i) {
                if (text == p.choices()[i]) return i;
            }
            return tl::unexpected(
                fmt::format("{}{}", fmt::join(p.choices(), " or "), nearest_hint(text, p.choices())));
    }
    return tl::unexpected<std::string>("a value");
}

std::string to_string(const Case& c) {
    std::string id = fmt::format("{}/{}", info(c.operation).name, to_string(c.set));
    for_each_parameter(c.operation, [&](Parameter parameter) {
        const ParameterInfo& p = info(parameter);
        if (!p.always_in_id && c.value(parameter) == p.initial) return;
        id += fmt::format("/{}:{}", p.key, format_value(parameter, c.value(parameter)));
    });
    return id;
}

tl::expected<Operation, std::string> parse_operation(std::string_view name) {
    std::vector<std::string_view> names;
    for (const OperationInfo& operation : kOperations) {
        if (operation.name == name) return operation.operation;
        names.push_back(operation.name);
    }
    return tl::unexpected(fmt::format("one of {}{}", fmt::join(names, ", "), nearest_hint(name, names)));
}

tl::expected<Case, std::string> parse_case(std::string_view id) {
    const std::vector<std::string> parts = split(id, "/");
    if (parts.size() < 2) return tl::unexpected<std::string>("an id such as clone/NEWPID/stack:1M");
    const auto operation = parse_operation(parts[0]);
    if (!operation) return tl::unexpected(fmt::format("operation '{}': {}", parts[0], operation.error()));
    const auto set = parse_set(parts[1]);
    if (!set) return tl::unexpected(set.error());
    if (!info(*operation).takes(*set)) {
        return tl::unexpected(fmt::format("{} does not take the set {}", parts[0], to_string(*set)));
    }
    Case c = Case::of(*operation, *set);
    for (std::size_t i = 2; i < parts.size(); ++i) {
        const std::size_t colon = parts[i].find(':');
        const auto parameter = find_parameter(*operation, std::string_view(parts[i]).substr(0, colon));
        if (!parameter || colon == std::string::npos) {
            return tl::unexpected(fmt::format("{} has no parameter '{}'", parts[0], parts[i]));
        }
        const auto value = parse_value(*parameter, std::string_view(parts[i]).substr(colon + 1));
        if (!value) return tl::unexpected(fmt::format("{}: {}", parts[i], value.error()));
        c = c.with(*parameter, *value);
    }
    return c;
}

}  // namespace nsb
