// The interval of a median whose samples come in rounds that have something in common.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/statistics.h"

namespace nsb {

/// A value and the round that it is of. Rounds are numbered from 0 without a gap, in the order of measuring.
struct OfRound {
    double value;
    std::uint32_t round;
};

/// The 95% interval of the median of all values, in which rounds count as they scatter and not their values,
/// neighbours among which are correlated.
///
/// It is a sign test turned round: a candidate is in it unless the share of values below differs from one
/// half by more than the shares of the rounds make likely (RoundScatter). So nothing is assumed of how values
/// are distributed, within rounds or between them: also not that a round's median lies near that of all,
/// which fails where blocks have one level or another. Where so few rounds, or rounds so different, leave
/// open more than the middle half of the values, the shares say little of where the median lies: the interval
/// is then that of the rounds' medians, and beyond them goes on as the values do up to their quartiles.
///
/// Nothing below kMinForInterval rounds.
std::optional<Interval> median_interval_of_rounds(std::vector<OfRound> values);

}  // namespace nsb
