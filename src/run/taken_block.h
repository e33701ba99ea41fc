// The taking of blocks, for the rounds and for the probed pass.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "env/teardown.h"
#include "run/samplers.h"

namespace nsb::run {

/// What came of a block: one sampler's samples after the other's.
struct TakenBlock {
    struct Sample {
        std::array<double, kPhases> times;
        bool is_lead_in;
        std::uint32_t sampler;  ///< which of those that carried it out
        double ended;           ///< since the block began
    };
    std::vector<Sample> samples;  ///< without those that failed, which have no times
    std::optional<protocol::Failure> failure;
    std::string said;                 ///< by a runtime that failed, and its name
    env::PendingTeardown pending;     ///< what it left to the kernel's workers
    std::uint64_t of_conditions = 0;  ///< so many of that, at most, were not of its samples
    bool is_uncounted = false;        ///< no sample was made under a condition: how many it had is unknown
    bool was_suspended = false;       ///< the machine, meanwhile

    /// Times of the samples behind the lead-in.
    [[nodiscard]] std::vector<double> counted(Phase phase) const;
};

/// Takes a block of `lead_in` + `samples` samples from each sampler that the case takes.
TakenBlock take_block(Samplers& samplers, const Case& c, std::uint32_t lead_in, std::uint32_t samples,
                      std::chrono::nanoseconds limit);

/// What one sampler's `samples` samples of a case leave to the kernel's workers, and the conditions of its
/// block.
env::PendingTeardown pending_teardown(const Case& c, std::uint32_t samples, bool in_userns);

}  // namespace nsb::run
