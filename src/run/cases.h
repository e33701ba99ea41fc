// The cases that a run measures.
#pragma once

#include <optional>
#include <vector>

#include "core/case.h"

namespace nsb::run {

struct Cases {
    std::vector<Case> all;  ///< those of the plan in its order, each once, then bases that only serve deltas
    std::size_t planned = 0;                       ///< how many of them are the plan's
    std::vector<std::optional<std::size_t>> base;  ///< index by index: what its delta is taken against
    KindSet base_set;                              ///< of the bases

    /// `alone`: no base is added to those that the plan has. `base_set`: of the bases; absent: as such a run
    /// has it.
    static Cases of(const std::vector<Case>& plan, bool in_userns, bool alone,
                    std::optional<KindSet> base_set = std::nullopt);
};

}  // namespace nsb::run
