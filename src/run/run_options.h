// How a run measures.
#pragma once

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

/// Times are wall time also under the instruction clock.
struct RunOptions {
    Selection selection;
    std::optional<std::chrono::nanoseconds> budget = std::chrono::seconds(60);  ///< none: as long as it takes
    double precision = 0.02;
    std::optional<std::uint32_t> samples;  ///< a fixed number for each case instead of a precision
    std::uint64_t seed = 0;
    std::optional<std::uint32_t> block;    ///< counted samples of a block; none: as its class has it
    std::optional<std::uint32_t> lead_in;  ///< uncounted ones before them, likewise
    bool alone = false;                    ///< no base is measured beside the cases: there is no delta
    std::optional<int> cpu;                ///< the first sampler's CPU; none: not pinned
    TickClock clock = TickClock::wall;
    Disturbed disturbed = Disturbed::keep;  ///< whether disturbed rounds enter the figures

    /// The time before each block in which nothing is done. Where the clock counts instructions it costs
    /// nothing, and lets the kernel finish what earlier blocks left to it (RCU callbacks, which give back
    /// stacks and slabs): without it a clone took one of two values, 10% apart, for a whole block.
    [[nodiscard]] std::chrono::milliseconds idle_before_block() const {
        return std::chrono::milliseconds(clock == TickClock::instructions ? 100 : 0);
    }
};

}  // namespace nsb::run
