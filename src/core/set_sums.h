// What sets add against the sum of what their kinds add alone.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/series.h"
#include "core/shared_cost.h"

namespace nsb {

/// A set of several kinds beside the sum of them.
struct SetSum {
    Case measured;
    KindSet kinds;     ///< that its base has not
    double added = 0;  ///< by all of them together
    double gap = 0;    ///< to what is expected; above 0: the set costs more
    Interval range{};  ///< of the gap

    [[nodiscard]] bool follows() const { return range.low <= 0 && range.high >= 0; }
};

/// Of all sets that are compared with one base. What is expected of a set is the sum of its kinds, less what
/// they share where that is known.
struct SetSums {
    std::optional<SharedCost> shared;
    std::size_t compared = 0;   ///< sets whose kinds were all measured alone
    std::size_t following = 0;  ///< those whose gap may be 0
    std::vector<SetSum> off;    ///< the others, those with the largest gap first
    std::optional<SetSum> all;  ///< that of all kinds, whatever its gap
};

/// The range of a gap is that of the worst case: each figure at the end of its range that moves it most. So
/// it holds whatever the figures have in common, as their base. Of first phases and one set of parameters;
/// nothing where no set can be compared.
std::optional<SetSums> set_sums(std::span<const Row> rows, const Case& base);

}  // namespace nsb
