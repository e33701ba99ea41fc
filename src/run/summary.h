// What a run's samples say, in rows: made when it ends, and of its folder at any time.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/series.h"
#include "run/run_info.h"
#include "run/store.h"

namespace nsb::run {

struct Summary {
    RunInfo info;
    std::vector<Row> rows;   ///< of the plan's cases, in its order
    std::vector<Row> bases;  ///< of cases that are measured for deltas alone, and are no rows of the results
};

/// The rows of bases.
std::vector<Row> rows_of_bases(std::span<const Series> bases, const RowContext& context);

/// Of a recorded run in `folder`. Throws StoreError where it has no samples.
Summary sum_up(Store::Recorded recorded, const std::string& folder);

}  // namespace nsb::run
