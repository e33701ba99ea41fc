#include "run/policy.h"

#include <algorithm>
#include <cmath>

#include "run/limits.h"
#include "run/planned_blocks.h"

namespace nsb::run {
namespace {

/// Rounds that a budget is laid out for. Rounds differ more than samples of one block do, so many short
/// blocks say more than few long ones: with 12 rounds the intervals were 1.2 to 1.8 times as wide.
constexpr double kRoundsInBudget = 25;
/// A round of few cases lasts about this long: long enough to be a sample of the machine's state.
constexpr double kShortRound = 0.25;
/// Counted samples of a block: fewer would leave most of it to the lead-in.
constexpr double kSmallestBlock = 2;
constexpr std::uint32_t kSmallBlock = 16;
/// Samples of a fixed number are spread over this many rounds.
constexpr std::uint32_t kRoundsOfFixed = 10;

/// How many counted samples the next block of a planned case should have; 0 once it has enough.
std::uint32_t samples_wanted(const Knowledge& known, std::size_t i) {
    if (known.series[i].failure) return 0;
    const Looks& looks = known.looks[i];
    if (const auto fixed = known.options.samples) {
        const std::uint32_t have = looks.counted() / known.cases.all[i].at_once();
        return std::min(known.samples_per_block, *fixed - std::min(*fixed, have));
    }
    return looks.is_precise() ? 0 : known.samples_per_block;
}

}  // namespace

PlannedRound plan_round(const Knowledge& known, std::uint32_t round) {
    const bool is_warm_up = round == 0;
    PlannedRound planned;
    std::vector<Standing> standings;
    for (std::size_t i = 0; i < known.series.size(); ++i) {
        const bool is_failed = known.series[i].failure.has_value();
        std::uint32_t wanted = 0;
        if (i < known.cases.planned) {
            const bool is_new = known.series[i].samples.empty() && !is_failed;
            wanted = is_warm_up ? (is_new ? 1 : 0) : samples_wanted(known, i);
            if (!is_warm_up && wanted == 0 && !is_failed) ++planned.cases_precise;
        }
        standings.push_back({wanted, is_failed, known.cases.base[i]});
    }
    const std::vector<PlannedBlock> blocks = plan_blocks(
        known.cases.all, standings, {known.options.lead_in, is_warm_up, known.options.samples.has_value()});
    planned.blocks = blocks.size();
    planned.groups = schedule(blocks, known.cases.all, known.options.seed, round, kMaxBacklog);
    return planned;
}

std::uint32_t choose_block_size(const RunOptions& options, double warm_up_seconds, double seconds) {
    if (options.block) return *options.block;
    if (options.samples) return std::max(1U, *options.samples / kRoundsOfFixed);
    const double one_of_each = std::max(warm_up_seconds, 1e-6) / (1 + options.lead_in);
    const double in_budget = seconds / kRoundsInBudget / one_of_each - options.lead_in;
    const double in_short_round = std::max<double>(kSmallBlock, kShortRound / one_of_each);
    return static_cast<std::uint32_t>(
        std::clamp(std::min(in_budget, in_short_round), kSmallestBlock, static_cast<double>(kBlock.high)));
}

double seconds_left_of_fixed(std::uint32_t samples, std::uint32_t samples_per_block, double rounds_done,
                             double elapsed_s) {
    // Rounds of a fixed number of samples are alike.
    const double rounds = std::ceil(static_cast<double>(samples) / samples_per_block);
    return elapsed_s * std::max(0.0, rounds / rounds_done - 1);
}

}  // namespace nsb::run
