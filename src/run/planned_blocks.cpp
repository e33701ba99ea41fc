#include "run/planned_blocks.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "run/run_options.h"

namespace nsb::run {
namespace {

/// Blocks of a base in a round, at most.
constexpr double kMostBlocks = 8;

/// What a base is for in one round.
struct Serving {
    std::size_t cases = 0;      ///< that are compared with it
    std::uint32_t longest = 0;  ///< of their blocks
};

/// The lengths of the planned cases' blocks. A batch's teardown takes its time however small it is, so a
/// batch is filled, and never over-filled.
std::vector<std::uint32_t> own_blocks(std::span<const Case> cases, std::span<const Standing> standings,
                                      const RoundKind& kind) {
    const auto wanted = [&](std::size_t i) { return standings[i].is_failed ? 0 : standings[i].wanted; };
    std::array<std::uint32_t, 3> open_of_class{};  // how many open cases share batches, by teardown class
    for (std::size_t i = 0; i < cases.size(); ++i) {
        if (wanted(i) > 0) ++open_of_class[static_cast<std::size_t>(teardown_class(cases[i]))];
    }
    std::vector<std::uint32_t> blocks;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        std::uint32_t samples = wanted(i);
        const TeardownClass teardown = teardown_class(cases[i]);
        if (samples > 0 && teardown != TeardownClass::none) {
            const std::uint32_t share = kMaxBacklog / open_of_class[static_cast<std::size_t>(teardown)];
            if (!kind.is_warm_up && !kind.is_fixed && share > kind.lead_in)
                samples = std::max(samples, share - kind.lead_in);
            samples = std::min(samples, kMaxBacklog - kind.lead_in);
        }
        blocks.push_back(samples);
    }
    return blocks;
}

}  // namespace

std::vector<PlannedBlock> plan_blocks(std::span<const Case> cases, std::span<const Standing> standings,
                                      const RoundKind& kind) {
    const std::vector<std::uint32_t> blocks = own_blocks(cases, standings, kind);
    std::vector<Serving> serving(cases.size());
    for (std::size_t i = 0; i < cases.size(); ++i) {
        if (blocks[i] == 0 || !standings[i].base) continue;
        Serving& base = serving[*standings[i].base];
        ++base.cases;
        base.longest = std::max(base.longest, blocks[i]);
    }
    std::vector<PlannedBlock> planned;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const std::uint32_t samples = std::max(blocks[i], serving[i].longest);
        if (samples == 0 || standings[i].is_failed) continue;
        // What k differences have in common is worth the root of k times the effort, spread over the round.
        const bool once = kind.is_warm_up || kind.is_fixed;
        const double root = once ? 1 : std::ceil(std::sqrt(static_cast<double>(serving[i].cases)));
        const auto times = static_cast<std::size_t>(std::clamp(root, 1.0, kMostBlocks));
        planned.insert(planned.end(), times, PlannedBlock{i, kind.lead_in, samples, !kind.is_warm_up});
    }
    return planned;
}

}  // namespace nsb::run
