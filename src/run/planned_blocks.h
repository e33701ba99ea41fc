// Which series a round has blocks of, how often, and how long they are.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "run/block_shape.h"
#include "run/schedule.h"

namespace nsb::run {

/// How a series stands when a round begins.
struct Standing {
    BlockShape shape;          ///< of its class
    std::uint32_t blocks = 1;  ///< that it has in a round
    std::uint32_t wanted = 0;  ///< counted samples that its next block should have; 0 once it has enough
    bool is_failed = false;
    std::optional<std::size_t> base;  ///< the series that its delta is taken against
};

struct RoundKind {
    bool is_warm_up = false;
    bool is_fixed = false;  ///< to a number of samples for each case, instead of a precision
};

/// The blocks of a round, in the order of the series. A base has its blocks in every round in which a case
/// has one that is compared with it. Where the number of samples is fixed they are as long as the longest of
/// theirs: a base that only serves others has about as many samples as these have. In the warm-up nothing
/// counts, and at most one sample leads in.
std::vector<PlannedBlock> plan_blocks(std::span<const Standing> standings, const RoundKind& kind);

}  // namespace nsb::run
