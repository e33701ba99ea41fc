#include "run/planned_blocks.h"

#include <algorithm>

namespace nsb::run {

std::vector<PlannedBlock> plan_blocks(std::span<const Standing> standings, const RoundKind& kind) {
    std::vector<std::uint32_t> longest(standings.size());  // of the cases that a base serves in this round
    const auto wanted = [&](const Standing& one) { return one.is_failed ? 0 : one.wanted; };
    for (const Standing& one : standings) {
        if (one.base) longest[*one.base] = std::max(longest[*one.base], wanted(one));
    }
    std::vector<PlannedBlock> planned;
    for (std::size_t i = 0; i < standings.size(); ++i) {
        const Standing& one = standings[i];
        const bool serves = longest[i] > 0 && !one.is_failed;
        std::uint32_t samples = wanted(one);
        if (serves)
            samples = kind.is_warm_up || kind.is_fixed ? std::max(samples, longest[i]) : one.shape.samples;
        if (samples == 0) continue;
        const std::size_t times = kind.is_warm_up ? 1 : one.blocks;
        const std::uint32_t lead_in = std::min(kind.is_warm_up ? 1 : one.shape.lead_in, one.shape.lead_in);
        planned.insert(planned.end(), times, PlannedBlock{i, lead_in, samples, !kind.is_warm_up});
    }
    return planned;
}

}  // namespace nsb::run
