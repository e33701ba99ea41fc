// What the checks saw, as a table for people, CSV or JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isolate/checks.h"

namespace nsb::isolate {

/// passed, failed, skipped or error.
std::string_view to_string(Outcome outcome);

std::string verdict_table(const std::vector<Checked>& results, bool colour);
std::string verdict_csv(const std::vector<Checked>& results);
std::string verdict_json(const std::vector<Checked>& results);

}  // namespace nsb::isolate
