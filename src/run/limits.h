// What the numbers of a run may be: on the command line, and where a recorded run is read.
#pragma once

#include <limits>

#include "core/text.h"

namespace nsb::run {

inline constexpr Range kSamples{1, 40000};
inline constexpr Range kBlock{1, 1000};
inline constexpr Range kLeadIn{0, 16};
inline constexpr Range kRepeats{1, 1000};
inline constexpr Range kBlocksInRound{1, 16};  ///< of a case
inline constexpr Range kSeed{0, std::numeric_limits<std::uint64_t>::max()};
inline constexpr Range kCpu{0, 1U << 20U};
inline constexpr double kWorstPrecision = kMostPercent / 100;  ///< above 0, as a fraction
/// Of a filter, in bytes.
inline constexpr std::size_t kLongestFilter = 1000;

/// Of a plan that is made of values: some hundreds of bytes each for as long as it is made, and a series of
/// samples each behind that.
inline constexpr std::size_t kMostCases = 200'000;
/// Of rounds, of blocks and of what is counted once in each: a run of one round every microsecond takes a
/// quarter of an hour to get there.
inline constexpr Range kRounds{0, 1'000'000'000};
/// Saved machines of the lab; 0 elsewhere.
inline constexpr Range kMachines{0, 1'000'000};
/// What is counted in seconds.
inline constexpr double kForeverSeconds = kForeverNs / 1e9;
/// A time in ticks: up to here a double holds every whole number.
inline constexpr double kMostTicks = 9007199254740992;

}  // namespace nsb::run
