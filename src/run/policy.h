// What is measured next: which blocks in which round, and in which order. Pure functions of what is
// known; time is a figure that they are given.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/series.h"
#include "run/cases.h"
#include "run/run_options.h"
#include "run/schedule.h"

namespace nsb::run {

/// What is known when a round begins. Spans are of the cases, index by index.
struct Knowledge {
    const RunOptions& options;
    const Cases& cases;
    std::span<const Series> series;
    std::span<const Looks> looks;
    bool headlines_first = false;  ///< those that are not finished are measured alone
};

struct PlannedRound {
    std::vector<Group> groups;  ///< in their order; none: there is nothing left to measure
    std::size_t blocks = 0;
    bool is_of_headlines = false;   ///< alone
    std::size_t cases_precise = 0;  ///< of the plan's, those that have enough
    std::size_t cases_open = 0;     ///< of the plan's, those that have blocks
};

/// Round 0 is the warm-up: one sample of each case of the plan that has none, and of their bases.
PlannedRound plan_round(const Knowledge& known, std::uint32_t round);

/// Blocks of the plan's cases that are still to come where the number of samples is fixed.
double blocks_left_of_fixed(const Knowledge& known);

}  // namespace nsb::run
