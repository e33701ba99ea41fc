// Operations, as the table of operations.def, in the words of this file. Header-only: the sampler and nsbench
// share it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/kinds.h"
#include "core/parameter.h"
#include "core/phase.h"

namespace nsb {

enum class Operation : std::uint8_t {
#define NSB_OPERATION(name, ...) name,
#include "core/operations.def"
#undef NSB_OPERATION
};

/// Which sets an operation takes.
using SetRule = bool (*)(KindSet);

namespace set_rules {
constexpr bool any_set(KindSet /*set*/) {
    return true;
}
constexpr bool no_set(KindSet /*set*/) {
    return false;
}
constexpr bool some_set(KindSet set) {
    return !set.empty();
}
constexpr bool one_kind(KindSet set) {
    return set.size() == 1;
}
constexpr bool up_to_one_or_all(KindSet set) {
    return set.size() <= 1 || set == KindSet::all();
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
constexpr bool only_none(KindSet set) {
    return set.empty();
}
constexpr bool only_mnt(KindSet set) {
    return set == KindSet(Kind::mnt);
}
constexpr bool only_net(KindSet set) {
    return set == KindSet(Kind::net);
}
// An ordinary user's are made through a user namespace.
constexpr bool mnt_and_perhaps_user(KindSet set) {
    return set - Kind::user == KindSet(Kind::mnt);
}
constexpr bool net_and_perhaps_user(KindSet set) {
    return set - Kind::user == KindSet(Kind::net);
}
/// What container runtimes make unless told otherwise, where the host has version 2 of cgroups.
constexpr bool usual_container(KindSet set) {
    return set == KindSet::all() - (Kind::time | Kind::user);
}
}  // namespace set_rules

/// How an operation differs from the others.
enum class Trait : std::uint8_t {
    held,        ///< not its samples make the namespaces, but a process that keeps them for a whole block
    new_root,    ///< its processes get a root directory of their own
    in_own_mnt,  ///< a block is carried out inside a mount namespace of its own (bench/own_namespaces.h)
    in_own_net,  ///< inside a net namespace of its own
    watched,     ///< a block begins with a process that clears up when the sampler is gone (bench/cgroup.cpp)
    sandboxed,   ///< another program does it, in a sandbox (bench/sandbox.h), where the probe does not follow
    no_child     ///< its samples make no process, by which the probe would tell them apart
};

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
    SetRule swept;       ///< the plan has them with several stacks
    Flags<Phase> phases;
    Flags<Parameter> parameters;
    Operation base;  ///< what `delta` is taken against: itself without namespaces, or another of the same set
    Flags<Trait> traits;
};

namespace detail {
namespace names {
#define NSB_PHASE(identifier, ...) inline constexpr Flags<Phase> identifier{Phase::identifier};
#include "core/phases.def"
#undef NSB_PHASE
#define NSB_NUMBER(identifier, ...) inline constexpr Flags<Parameter> identifier{Parameter::identifier};
#define NSB_CHOICE(identifier, ...) inline constexpr Flags<Parameter> identifier{Parameter::identifier};
#include "core/parameters.def"
#undef NSB_CHOICE
#undef NSB_NUMBER
inline constexpr Flags<Trait> plain{}, held{Trait::held}, new_root{Trait::new_root},
    in_own_mnt{Trait::in_own_mnt}, in_own_net{Trait::in_own_net}, watched{Trait::watched},
    sandboxed{Trait::sandboxed}, no_child{Trait::no_child};
}  // namespace names

/// Whose own a phase or a parameter is: nobody's, where `several` have it, or every operation does whose
/// blocks can have conditions.
struct Owner {
    std::optional<Operation> operation;
    bool is_of_conditions = false;
};
namespace owners {
inline constexpr Owner several{}, condition{std::nullopt, true};
#define NSB_OPERATION(name, ...) inline constexpr Owner name{Operation::name};
#include "core/operations.def"
#undef NSB_OPERATION
}  // namespace owners

constexpr auto kPhaseOwners = std::to_array<Owner>({
#define NSB_PHASE(identifier, name, of, ...) owners::of,
#include "core/phases.def"
#undef NSB_PHASE
});
constexpr auto kParameterOwners = std::to_array<Owner>({
#define NSB_NUMBER(identifier, key, of, ...) owners::of,
#define NSB_CHOICE(identifier, key, of, ...) owners::of,
#include "core/parameters.def"
#undef NSB_CHOICE
#undef NSB_NUMBER
});

/// What operations.def lists for an operation, its own, and the conditions that it can have.
template <typename Enum, std::size_t count>
constexpr Flags<Enum> with_own(Operation operation, Flags<Enum> listed, Flags<Trait> traits,
                               const std::array<Owner, count>& owners) {
    for (std::size_t i = 0; i < count; ++i) {
        const bool is_condition = owners[i].is_of_conditions && !traits.contains(Trait::sandboxed);
        if (owners[i].operation == operation || is_condition)
            listed = listed | Flags<Enum>(static_cast<Enum>(i));
    }
    return listed;
}
constexpr Flags<Phase> phases_of(Operation operation, Flags<Phase> listed, Flags<Trait> traits) {
    return with_own(operation, listed, traits, kPhaseOwners);
}
constexpr Flags<Parameter> parameters_of(Operation operation, Flags<Parameter> listed, Flags<Trait> traits) {
    return with_own(operation, listed, traits, kParameterOwners);
}

constexpr auto operation_table() {
    using namespace names;  // NOLINT(google-build-using-namespace): operations.def is written in these words
    using namespace set_rules;  // NOLINT(google-build-using-namespace)
    return std::to_array<OperationInfo>({
#define NSB_OPERATION(name, syscall, begins, calls, planned, takes, by_default, swept, phases, parameters, \
                      base, traits)                                                                        \
    {Operation::name,                                                                                      \
     #name,                                                                                                \
     planned,                                                                                              \
     takes,                                                                                                \
     by_default,                                                                                           \
     swept,                                                                                                \
     phases_of(Operation::name, phases, traits),                                                           \
     parameters_of(Operation::name, parameters, traits),                                                   \
     Operation::base,                                                                                      \
     traits},
#include "core/operations.def"
#undef NSB_OPERATION
    });
}
}  // namespace detail

inline constexpr auto kOperations = detail::operation_table();

constexpr const OperationInfo& info(Operation operation) {
    return kOperations[static_cast<std::size_t>(operation)];
}

/// The parameter whose choices an operation is there to compare: the plan has all of them, and the digest
/// sets them against each other.
constexpr std::optional<Parameter> compared(Operation operation) {
    switch (operation) {
        case Operation::runtime:
            return Parameter::by;
        case Operation::mount_ns:
            return Parameter::mntns_via;
        case Operation::cgroup:
            return Parameter::cgroup_via;
        case Operation::veth:
            return Parameter::made;
        case Operation::mountinfo:
            return Parameter::mountinfo_via;
        default:
            return std::nullopt;
    }
}

namespace detail {
/// Whether some operation has each enumerator of a table of `count`.
template <typename Enum>
constexpr bool all_are_used(Flags<Enum> OperationInfo::*flags, std::size_t count) {
    std::uint32_t used = 0;
    for (const OperationInfo& operation : kOperations) used |= (operation.*flags).bits;
    return used == (std::uint64_t{1} << count) - 1;
}

/// Whether what is one operation's own is in no other, and no sandboxed one has a condition.
template <typename Enum, std::size_t count>
constexpr bool own_are_own(Flags<Enum> OperationInfo::*flags, const std::array<Owner, count>& owners) {
    for (const OperationInfo& operation : kOperations) {
        for (std::size_t i = 0; i < count; ++i) {
            if (!(operation.*flags).contains(static_cast<Enum>(i))) continue;
            if (owners[i].operation && owners[i].operation != operation.operation) return false;
            if (owners[i].is_of_conditions && operation.traits.contains(Trait::sandboxed)) return false;
        }
    }
    return true;
}
}  // namespace detail

static_assert(kPhases < 32, "bench/mark.h has one bit for each phase, and the last for itself");
static_assert(kParameters <= 32, "Flags has one bit for each");
static_assert(detail::all_are_used(&OperationInfo::phases, kPhases),
              "a phase of phases.def is in no operation of operations.def");
static_assert(detail::all_are_used(&OperationInfo::parameters, kParameters),
              "a parameter of parameters.def is in no operation of operations.def");
static_assert(
    detail::own_are_own(&OperationInfo::phases, detail::kPhaseOwners) &&
        detail::own_are_own(&OperationInfo::parameters, detail::kParameterOwners),
    "operations.def lists what is another operation's own: several have it, then; or a condition, which no "
    "sandboxed operation can have");
static_assert(std::ranges::all_of(kOperations,
                                  [](const OperationInfo& o) { return info(o.base).base == o.base; }),
              "the base of an operation is its own base");

}  // namespace nsb
