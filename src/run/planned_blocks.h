// Which series a round planned, how often, and how long the blocks are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/case.h"
#include "run/schedule.h"

namespace nsb::run {

/// How a series stands when a round begins.
struct Standing {
    std::uint32_t wanted = 0;  ///< counted samples that its next block should have; 0 once it has enough
    bool is_failed = false;
    std::optional<std::size_t> base;  ///< the series that its delta is taken against
};

struct RoundKind {
    std::uint32_t lead_in = 0;
    bool is_warm_up = false;
    bool is_fixed = false;  ///< to a number of samples for each case, instead of a precision
};

/// The blocks of a round, in the order of the series; `standings` are those of `cases`. A base has a block in
/// every round in which a case has one that is compared with it, as long as the longest of theirs: each
/// difference is one of two medians of about as many samples, and a base that only serves others has no more
/// of them than these have. Where rounds go on until a precision is reached, it has up to sqrt(cases) blocks.
std::vector<PlannedBlock> plan_blocks(std::span<const Case> cases, std::span<const Standing> standings,
                                      const RoundKind& kind);

}  // namespace nsb::run
