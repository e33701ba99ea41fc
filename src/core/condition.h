// Conditions, as the table of conditions.def: the parameters that say what surrounds a block.
#pragma once

#include <algorithm>
#include <array>

#include "core/kinds.h"
#include "core/parameter.h"

namespace nsb {

/// What makes a condition (bench/deputy.h).
enum class MadeBy : std::uint8_t {
    own,     ///< the deputy, on itself
    entry,   ///< the way to the deputy
    kept,    ///< a keeper beside it, which is let go when the block is over
    let_go,  ///< or right before the block's first sample
};

struct ConditionInfo {
    Parameter parameter;
    MadeBy by;
    KindSet leaves;  ///< each one of its number leaves a namespace of these to the kernel's workers
};

inline constexpr auto kConditions = std::to_array<ConditionInfo>({
#define NSB_CONDITION(identifier, type, highest, by, leaves, meaning) \
    {Parameter::identifier, MadeBy::by, leaves},
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

/// How many work items of a kind the kernel's workers see at least, after a block under these conditions
/// whose samples have left `own`. Namespaces within one another may all be torn down in the item of the
/// innermost (free_user_ns(), from 6.16 on also destroy_pid_namespace_work()).
constexpr std::uint64_t left_with_conditions(const ParameterValues& values, Kind kind, std::uint64_t own) {
    std::uint64_t left = own;
    bool has_nested = false;
    for (const ConditionInfo& condition : kConditions) {
        if (!condition.leaves.contains(kind)) continue;
        const std::uint64_t value = values[static_cast<std::size_t>(condition.parameter)];
        if (condition.by == MadeBy::entry) {
            has_nested = has_nested || value != 0;
        } else {
            left += value;
        }
    }
    return has_nested ? std::max<std::uint64_t>(left, 1) : left;
}

}  // namespace nsb
