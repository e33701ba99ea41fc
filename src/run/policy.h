// What is measured next: which blocks in which round, how long, and in which order. Pure functions of what is
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
    std::uint32_t samples_per_block = 0;  ///< as choose_block_size() says
};

struct PlannedRound {
    std::vector<Group> groups;  ///< in their order; none: there is nothing left to measure
    std::size_t blocks = 0;
    std::size_t cases_precise = 0;  ///< of the plan's, those that have enough
};

/// Round 0 is the warm-up: one sample of each case of the plan that has none, and of their bases.
PlannedRound plan_round(const Knowledge& known, std::uint32_t round);

/// Counted samples of a block, by how long the warm-up round took and how long there is for all rounds.
std::uint32_t choose_block_size(const RunOptions& options, double warm_up_seconds, double seconds);

/// How long rounds of a fixed number of samples will go on, where `rounds_done` of them took `elapsed_s`.
double seconds_left_of_fixed(std::uint32_t samples, std::uint32_t samples_per_block, double rounds_done,
                             double elapsed_s);

}  // namespace nsb::run
