// Conditions, as the table of conditions.def: the parameters that say what surrounds a block.
#pragma once

#include <algorithm>
#include <array>

#include "core/kinds.h"
#include "core/parameter.h"

namespace nsb {

struct ConditionInfo {
    Parameter parameter;
    KindSet leaves;  ///< each one of its number leaves a namespace of these to the kernel's workers
};

inline constexpr auto kConditions = std::to_array<ConditionInfo>({
#define NSB_CONDITION(identifier, type, highest, by, leaves, meaning) {Parameter::identifier, leaves},
#include "core/conditions.def"
#undef NSB_CONDITION
});

constexpr bool is_condition(Parameter parameter) {
    return std::ranges::find(kConditions, parameter, &ConditionInfo::parameter) != kConditions.end();
}

constexpr bool has_condition(const ParameterValues& values) {
    return std::ranges::any_of(kConditions, [&](const ConditionInfo& condition) {
        return values[static_cast<std::size_t>(condition.parameter)] != 0;
    });
}

/// How many namespaces of a kind these conditions leave to the kernel's workers.
constexpr std::uint64_t left_by_conditions(const ParameterValues& values, Kind kind) {
    std::uint64_t left = 0;
    for (const ConditionInfo& condition : kConditions) {
        if (condition.leaves.contains(kind)) left += values[static_cast<std::size_t>(condition.parameter)];
    }
    return left;
}

}  // namespace nsb
