// What kinds have in common: two together cost less than their sum, where each alone pays for the same work.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/series.h"

namespace nsb {

/// Of an operation's sets of two kinds, all with the same parameters.
struct SharedCost {
    Case base;              ///< what all the deltas were taken against
    std::size_t pairs = 0;  ///< that were measured, and so was each of their kinds alone
    double saving =
        0;          ///< of two together to the sum of both: the median over pairs; below 0: they cost more
    Interval ci{};  ///< 95%, of that median
};

/// Where the figures show that kinds share a cost, or cost each other time: the interval over pairs does not
/// hold 0, which takes kMinForInterval of them at least. By each case's first phase, in the order of the
/// rows. A user namespace shares nothing with the others (bench/README.md), and is in no pair.
std::vector<SharedCost> shared_costs(std::span<const Row> rows);

}  // namespace nsb
