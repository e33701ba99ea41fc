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

/// How closely the levels of two neighbouring rounds are taken to follow each other at least, as the
/// correlation of an autoregressive process. Few rounds cannot tell it: an estimate from ten of them has a
/// standard deviation of 0.3. The medians of rounds had 0.83 on a virtual machine with other load.
inline constexpr double kRoundsFollow = 0.8;

/// The 95% interval of the median of all values, in which rounds count as they scatter and not their values,
/// neighbours among which are correlated.
///
/// It is a sign test turned round: a candidate is in it unless the share of values below differs from one
/// half by more than the shares of the rounds scatter. So nothing is assumed of how values are distributed,
/// within rounds or between them: also not that a round's median lies near that of all, which fails where
/// blocks have one level or another. How the mean share scatters is told by the slow parts of the series of
/// shares, its first cosine transforms, and a t quantile for so few of them (Lazarus, Lewis, Stock and
/// Watson, "HAR Inference", 2018): what neighbouring rounds have in common, as the machine's level, is in
/// them, and a drift.
///
/// Nothing below kMinForInterval rounds.
std::optional<Interval> median_interval_of_rounds(std::vector<OfRound> values);

}  // namespace nsb
