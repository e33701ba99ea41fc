// A case: one operation with all its parameters. What a row of results is about.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "core/condition.h"
#include "core/operation.h"

namespace nsb {

struct Case {
    Operation operation = Operation::clone;
    KindSet set;
    ParameterValues values{};

    /// The operation with every parameter at its default.
    static Case of(Operation operation, KindSet set);

    [[nodiscard]] std::uint64_t value(Parameter parameter) const {
        return values[static_cast<std::size_t>(parameter)];
    }
    [[nodiscard]] Case with(Parameter parameter, std::uint64_t value) const;
    [[nodiscard]] bool has(Parameter parameter) const {
        return info(operation).parameters.contains(parameter);
    }
    /// How many samplers carry it out at the same time.
    [[nodiscard]] std::uint32_t at_once() const {
        return has(Parameter::parallel) ? static_cast<std::uint32_t>(value(Parameter::parallel)) : 1;
    }
    /// Whether something is to surround its blocks.
    [[nodiscard]] bool has_condition() const { return nsb::has_condition(values); }
    /// Whether these share one mm.
    [[nodiscard]] bool shares_mm() const {
        return has(Parameter::workers) &&
               value(Parameter::workers) == static_cast<std::uint64_t>(Workers::threads);
    }
    [[nodiscard]] bool has(Trait trait) const { return info(operation).traits.contains(trait); }

    /// Whether each of its samples has a time for this phase: its set has the kinds for it, and its
    /// parameters the choice.
    [[nodiscard]] bool takes_time_of(Phase phase) const;

    /// The phases this case can have, in order: those that its set has the kinds for, and `drain` only where
    /// the kernel tears something of its own down later: it does not tell that from what conditions leave.
    [[nodiscard]] std::vector<Phase> phases() const;

    /// What `delta` is taken against, under the same conditions: the same with no namespaces but those of
    /// `base_set`; for a twin, the case itself; for a runtime, the container of the same set.
    [[nodiscard]] std::optional<Case> base(KindSet base_set = {}) const;

    /// As an ordinary user can run it: its set gains NEWUSER where the operation makes the namespaces itself.
    [[nodiscard]] Case through_userns() const;

    /// Which system call makes the namespaces: only clone3(2) has a flag for time namespaces at creation.
    [[nodiscard]] std::string_view syscall() const;

    auto operator<=>(const Case&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// The set that bases have, so that a difference to them is of the other kinds alone: none, or what every set
/// has that is measured through a user namespace.
constexpr KindSet base_set(bool in_userns) {
    return in_userns ? KindSet(Kind::user) : KindSet{};
}

/// `operation/SET/key:value/…`: the join key between runs, machines and kernels.
std::string to_string(const Case& c);

/// The inverse of to_string. The error names the part that is wrong and what is accepted.
tl::expected<Case, std::string> parse_case(std::string_view id);

/// A parameter's value as in an id, and its inverse.
std::string format_value(Parameter parameter, std::uint64_t value);
tl::expected<std::uint64_t, std::string> parse_value(Parameter parameter, std::string_view text);

/// The operation of that name; the error has the nearest.
tl::expected<Operation, std::string> parse_operation(std::string_view name);

/// The kinds whose namespaces the kernel tears down in a worker, after the last process has left, at a cost
/// that has a phase of its own.
inline constexpr KindSet kTornDownLater = Kind::net | Kind::ipc | Kind::user;
/// Those and pid, which has a worker from 6.16 on: it is waited for as well.
inline constexpr KindSet kWaitedFor = kTornDownLater | Kind::pid;

/// How many namespaces that are waited for the conditions of one sampler's block leave.
std::uint64_t left_by_conditions(const Case& c);

}  // namespace nsb
