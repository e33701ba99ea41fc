// Operations, their phases and their parameters, as tables. Header-only: the sampler and nsbench share it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/kinds.h"

namespace nsb {

/// A part of a sample with its own time, in the order of the table's columns.
enum class Phase : std::uint8_t {
    start,
    create,
    ready,
    switch_,
    setgroups,
    uid_map,
    gid_map,
    maps,
    hostname,
    root,
    proc,
    lo,
    pivot,
    exec,
    mount,
    unmount,
    load,
    exit,
    total,
    cpu,
    drain
};
inline constexpr std::size_t kPhases = 21;

struct PhaseInfo {
    std::string_view name;
    std::string_view meaning;
    KindSet needs{};  ///< a case has the phase only where its set has all of these
};

inline constexpr std::array<PhaseInfo, kPhases> kPhaseTable{{
    {"start", "from the call to the first instruction of the program inside"},
    {"create", "the call, in the caller"},
    {"ready", "from the call to the child's first instruction"},
    {"switch", "setns(2), in the caller"},
    {"setgroups", "writing deny to /proc/PID/setgroups: open, write, close"},
    {"uid_map", "writing /proc/PID/uid_map: open, write, close"},
    {"gid_map", "writing /proc/PID/gid_map: open, write, close"},
    {"maps", "writing one's own setgroups, uid_map and gid_map, inside", Kind::user},
    {"hostname", "sethostname(2), inside", Kind::uts},
    {"root", "mounts made private, a tmpfs, the program written to it", Kind::mnt},
    {"proc", "mounting proc in the new root", Kind::mnt | Kind::pid},
    {"lo", "setting the loopback link up", Kind::net},
    {"pivot", "pivot_root(2), and the old root unmounted", Kind::mnt},
    {"exec", "from execveat(2) to the program's first instruction"},
    {"mount", "mounting proc on /proc, inside"},
    {"unmount", "unmounting it again, inside"},
    {"load", "the runtime started to say its version and no more, beside each sample; no part of total"},
    {"exit",
     "from the child's exit (unshare: from the call's return; a program inside: from its first instruction) "
     "to the parent's reaping"},
    {"total", "from the call to the child reaped"},
    {"cpu", "CPU time of the runtime and of what it waited for (wait4): the rest of total is waiting"},
    {"drain",
     "the kernel's asynchronous teardown: worker time per namespace, the mean over a batch of cases"},
}};

constexpr const PhaseInfo& info(Phase phase) {
    return kPhaseTable[static_cast<std::size_t>(phase)];
}

enum class Parameter : std::uint8_t {
    stack,
    join_via,
    mount_via,
    spawn,
    touch,
    pidfd,
    cgroup,
    subset,
    by,
    parallel,
    twin
};
inline constexpr std::size_t kParameters = 11;

enum class ParameterType : std::uint8_t { size, count, choice };

inline constexpr std::size_t kMostChoices = 5;

struct ParameterInfo {
    std::string_view key;  ///< in a case id, before the colon
    ParameterType type;
    std::array<std::string_view, kMostChoices>
        choice_names;         ///< a choice's value is its index here; the first is the default
    std::uint64_t initial;    ///< bytes, a count, or an index into choices
    std::uint64_t low, high;  ///< what is accepted
    bool always_in_id;        ///< also at its default
    std::string_view meaning;

    /// The names that there are: the array's rest is empty.
    [[nodiscard]] constexpr std::span<const std::string_view> choices() const {
        return {choice_names.data(), type == ParameterType::choice ? high + 1 : 0};
    }
};

inline constexpr std::uint64_t kPage = 4096;
inline constexpr std::uint64_t kMinStack = 16ULL << 10U;
inline constexpr std::uint64_t kMaxStack = 1ULL << 30U;
inline constexpr std::uint64_t kMaxParallel = 64;

inline constexpr std::array<ParameterInfo, kParameters> kParameterTable{{
    {"stack", ParameterType::size, {}, 1U << 20U, kMinStack, kMaxStack, true, "the child's stack"},
    {"via", ParameterType::choice, {"nsfd", "pidfd"}, 0, 0, 1, true, "what setns(2) is given"},
    {"via",
     ParameterType::choice,
     {"mount", "fsmount"},
     0,
     0,
     1,
     false,
     "mount(2), or fsopen(2) and fsmount(2)"},
    {"spawn",
     ParameterType::choice,
     {"fork", "vm"},
     0,
     0,
     1,
     false,
     "memory copied, or CLONE_VM|CLONE_VFORK"},
    {"touch", ParameterType::choice, {"none", "all"}, 0, 0, 1, false, "the stack untouched, or prefaulted"},
    {"pidfd", ParameterType::choice, {"no", "yes"}, 0, 0, 1, false, "CLONE_PIDFD"},
    {"cgroup",
     ParameterType::choice,
     {"inherit", "into"},
     0,
     0,
     1,
     false,
     "CLONE_INTO_CGROUP, the root cgroup"},
    {"subset", ParameterType::choice, {"all", "pid"}, 0, 0, 1, false, "proc mounted with subset=pid"},
    {"by",
     ParameterType::choice,
     {"unshare", "bwrap", "crun", "runc", "nspawn"},
     0,
     0,
     4,
     true,
     "the container runtime"},
    {"parallel", ParameterType::count, {}, 1, 1, kMaxParallel, false, "samplers at once"},
    {"twin", ParameterType::choice, {"no", "yes"}, 0, 0, 1, false, "measured a second time, against itself"},
}};

constexpr const ParameterInfo& info(Parameter parameter) {
    return kParameterTable[static_cast<std::size_t>(parameter)];
}

enum class JoinVia : std::uint64_t { nsfd, pidfd };
enum class MountVia : std::uint64_t { mount, fsmount };
enum class Spawn : std::uint64_t { fork, vm };
enum class By : std::uint64_t { unshare, bwrap, crun, runc, nspawn };
inline constexpr std::size_t kRuntimes = 5;

using ParameterValues = std::array<std::uint64_t, kParameters>;

enum class Operation : std::uint8_t {
#define NSB_OPERATION(name, planned, takes, by_default, phases, parameters) name,
#include "core/operations.def"
#undef NSB_OPERATION
};

/// Which sets an operation takes.
using SetRule = bool (*)(KindSet);

namespace set_rules {
constexpr bool any_set(KindSet /*set*/) {
    return true;
}
constexpr bool some_set(KindSet set) {
    return !set.empty();
}
constexpr bool one_kind(KindSet set) {
    return set.size() == 1;
}
constexpr bool with_mnt_and_pid(KindSet set) {
    return set.contains(Kind::mnt | Kind::pid);
}
constexpr bool only_mnt_and_pid(KindSet set) {
    return set == (Kind::mnt | Kind::pid);
}
constexpr bool with_user(KindSet set) {
    return set.contains(Kind::user);
}
constexpr bool only_user(KindSet set) {
    return set == KindSet(Kind::user);
}
/// What container runtimes make unless told otherwise, where the host has version 2 of cgroups.
constexpr bool usual_container(KindSet set) {
    return set == KindSet::all() - (Kind::time | Kind::user);
}
}  // namespace set_rules

/// A set of enumerators, as bits.
template <typename Enum>
struct Flags {
    std::uint32_t bits = 0;
    constexpr Flags() = default;
    constexpr explicit Flags(Enum value) : bits(1U << static_cast<unsigned>(value)) {}
    constexpr Flags operator|(Flags other) const {
        Flags both;
        both.bits = bits | other.bits;
        return both;
    }
    [[nodiscard]] constexpr bool contains(Enum value) const { return (bits & Flags(value).bits) != 0; }
};

struct OperationInfo {
    Operation operation;
    std::string_view name;
    bool planned;        ///< part of the default plan
    SetRule takes;       ///< when sets are asked for by name
    SetRule by_default;  ///< when none is
    Flags<Phase> phases;
    Flags<Parameter> parameters;
};

namespace detail {
namespace names {
#define NSB_FLAG(type, value)            \
    inline constexpr Flags<type> value { \
        type::value                      \
    }
NSB_FLAG(Phase, start);
NSB_FLAG(Phase, create);
NSB_FLAG(Phase, ready);
NSB_FLAG(Phase, switch_);
NSB_FLAG(Phase, setgroups);
NSB_FLAG(Phase, uid_map);
NSB_FLAG(Phase, gid_map);
NSB_FLAG(Phase, maps);
NSB_FLAG(Phase, hostname);
NSB_FLAG(Phase, root);
NSB_FLAG(Phase, proc);
NSB_FLAG(Phase, lo);
NSB_FLAG(Phase, pivot);
NSB_FLAG(Phase, exec);
NSB_FLAG(Phase, mount);
NSB_FLAG(Phase, unmount);
NSB_FLAG(Phase, load);
NSB_FLAG(Phase, exit);
NSB_FLAG(Phase, total);
NSB_FLAG(Phase, cpu);
NSB_FLAG(Phase, drain);
NSB_FLAG(Parameter, stack);
NSB_FLAG(Parameter, join_via);
NSB_FLAG(Parameter, mount_via);
NSB_FLAG(Parameter, spawn);
NSB_FLAG(Parameter, touch);
NSB_FLAG(Parameter, pidfd);
NSB_FLAG(Parameter, cgroup);
NSB_FLAG(Parameter, subset);
NSB_FLAG(Parameter, by);
NSB_FLAG(Parameter, parallel);
NSB_FLAG(Parameter, twin);
#undef NSB_FLAG
}  // namespace names

constexpr auto operation_table() {
    using namespace names;  // NOLINT(google-build-using-namespace): operations.def is written in these words
    using namespace set_rules;  // NOLINT(google-build-using-namespace)
    return std::to_array<OperationInfo>({
#define NSB_OPERATION(name, planned, takes, by_default, phases, parameters) \
    {Operation::name, #name, planned, takes, by_default, phases, parameters},
#include "core/operations.def"
#undef NSB_OPERATION
    });
}
}  // namespace detail

inline constexpr auto kOperations = detail::operation_table();

constexpr const OperationInfo& info(Operation operation) {
    return kOperations[static_cast<std::size_t>(operation)];
}

}  // namespace nsb
