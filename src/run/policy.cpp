#include "run/policy.h"

#include <algorithm>
#include <cmath>

#include "core/digest.h"
#include "run/block_shape.h"
#include "run/planned_blocks.h"

namespace nsb::run {
namespace {

/// Samples that a planned case lacks of the fixed number.
std::uint32_t lacking(const Knowledge& known, std::size_t i) {
    const std::uint32_t have = known.looks[i].counted() / known.cases.all[i].at_once();
    const std::uint32_t fixed = *known.options.samples;
    return known.series[i].failure ? 0 : fixed - std::min(fixed, have);
}

/// How many counted samples the next block of a planned case should have; 0 once it has enough.
std::uint32_t samples_wanted(const Knowledge& known, std::size_t i) {
    if (known.series[i].failure) return 0;
    const std::uint32_t whole = shape_of(known.cases.all[i], known.options).samples;
    if (known.options.samples) return std::min(whole, lacking(known, i));
    return known.looks[i].is_precise() ? 0 : whole;
}

/// Blocks of each series in a round: a constant of the plan, whatever is still open of it.
std::vector<std::uint32_t> blocks_of(const Cases& cases, const RunOptions& options) {
    const std::uint32_t each = blocks_in_round(cases.planned, options);
    std::vector<std::size_t> serves(cases.all.size());
    for (std::size_t i = 0; i < cases.planned; ++i) {
        if (cases.base[i]) ++serves[*cases.base[i]];
    }
    std::vector<std::uint32_t> blocks;
    for (const std::size_t served : serves)
        blocks.push_back(served == 0 ? each : blocks_of_base(served, each, options));
    return blocks;
}

/// A few headlines, of which rounds are short, would have thousands where the others get a handful.
constexpr std::uint32_t kMostHeadlineRounds = 64;

bool is_headline_of(const Cases& cases, std::size_t i) {
    return is_headline(cases.all[i], cases.base_set);
}

/// Whether a round is of headlines alone: some of them have not enough yet, and others wait.
bool is_of_headlines(const Knowledge& known) {
    if (!known.headlines_first) return false;
    bool has_headlines = false;
    bool has_others = false;
    for (std::size_t i = 0; i < known.cases.planned; ++i) {
        if (samples_wanted(known, i) == 0) continue;
        if (!is_headline_of(known.cases, i))
            has_others = true;
        else if (known.looks[i].rounds() < kMostHeadlineRounds)
            has_headlines = true;
    }
    return has_headlines && has_others;
}

}  // namespace

PlannedRound plan_round(const Knowledge& known, std::uint32_t round) {
    const bool is_warm_up = round == 0;
    const std::vector<std::uint32_t> times = blocks_of(known.cases, known.options);
    PlannedRound planned;
    planned.is_of_headlines = !is_warm_up && is_of_headlines(known);
    std::vector<Standing> standings;
    for (std::size_t i = 0; i < known.series.size(); ++i) {
        const bool is_failed = known.series[i].failure.has_value();
        std::uint32_t wanted = 0;
        if (i < known.cases.planned) {
            const bool is_new = known.series[i].samples.empty() && !is_failed;
            wanted = is_warm_up ? (is_new ? 1 : 0) : samples_wanted(known, i);
            if (!is_warm_up && wanted == 0 && !is_failed) ++planned.cases_precise;
            if (planned.is_of_headlines && !is_headline_of(known.cases, i)) wanted = 0;
            if (wanted > 0) ++planned.cases_open;
        }
        standings.push_back(
            {shape_of(known.cases.all[i], known.options), times[i], wanted, is_failed, known.cases.base[i]});
    }
    const std::vector<PlannedBlock> blocks =
        plan_blocks(standings, {is_warm_up, known.options.samples.has_value()});
    planned.blocks = blocks.size();
    planned.groups = schedule(blocks, known.cases.all, known.options.seed, round, kMaxBacklog);
    return planned;
}

double blocks_left_of_fixed(const Knowledge& known) {
    double blocks = 0;
    for (std::size_t i = 0; i < known.cases.planned; ++i)
        blocks += std::ceil(static_cast<double>(lacking(known, i)) /
                            shape_of(known.cases.all[i], known.options).samples);
    return blocks;
}

}  // namespace nsb::run
