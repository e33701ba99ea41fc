// How a run measures.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "core/disturbance.h"
#include "core/tick.h"
#include "run/plan.h"

namespace nsb::run {

/// What is constant in the measuring, published because it shapes the figures.
inline constexpr std::uint32_t kMaxBacklog =
    64;  ///< namespaces left to the kernel's workers before they are waited for

/// How long a run takes, unless it is told: so long that on a quiet machine most of what it is about gets
/// precise.
inline constexpr std::array<std::chrono::seconds, kExtentNames.size()> kBudgets{
    std::chrono::seconds(60), std::chrono::seconds(10), std::chrono::seconds(600)};
constexpr std::chrono::seconds budget_of(Extent extent) {
    return kBudgets[static_cast<std::size_t>(extent)];
}

/// Of the budget, at most, for the cases that a digest is made of, before all others.
inline constexpr double kShareOfHeadlines = 1.0 / 3;

/// Times are wall time also under the instruction clock.
struct RunOptions {
    Selection selection;
    std::optional<std::chrono::nanoseconds> budget = budget_of(Extent::usual);  ///< none: as long as it takes
    double precision = 0.02;
    std::optional<std::uint32_t> samples;  ///< a fixed number for each case instead of a precision
    std::uint64_t seed = 0;
    std::optional<std::uint32_t> block;    ///< counted samples of a block; none: as its class has it
    std::optional<std::uint32_t> lead_in;  ///< uncounted ones before them, likewise
    bool alone = false;                    ///< no base is measured beside the cases: there is no delta
    std::optional<int> cpu;                ///< the first sampler's CPU; none: not pinned
    TickClock clock = TickClock::wall;
    Disturbed disturbed = Disturbed::keep;  ///< whether disturbed rounds enter the figures

    /// Whether the cases that a digest is made of come first: not where each case gets the same, nor where it
    /// is measured on a machine of its own, nor for a curve, whose levels are alike.
    [[nodiscard]] bool begins_with_headlines() const {
        return selection.extent == Extent::usual && !selection.curve && budget && !samples &&
               clock == TickClock::wall;
    }

    /// The time before each block in which nothing is done. Where the clock counts instructions it costs
    /// nothing, and lets the kernel finish what earlier blocks left to it (RCU callbacks, which give back
    /// stacks and slabs): without it a clone took one of two values, 10% apart, for a whole block.
    [[nodiscard]] std::chrono::milliseconds idle_before_block() const {
        return std::chrono::milliseconds(clock == TickClock::instructions ? 100 : 0);
    }
};

}  // namespace nsb::run
