// A round as Google Benchmark runs it: each block one benchmark, each counted sample one iteration of manual
// time.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "run/schedule.h"

namespace nsb::run {

/// Measures one block; the times of its counted samples in ticks, or why there are none.
using MeasureBlock = std::function<tl::expected<std::vector<double>, std::string>(const PlannedBlock& block)>;

/// Runs all groups' blocks in order, and `end_group` after each group, outside anything that is timed.
void run_round(std::span<const Group> groups, std::span<const Case> cases, const MeasureBlock& measure,
               const std::function<void(const Group&)>& end_group);

}  // namespace nsb::run
