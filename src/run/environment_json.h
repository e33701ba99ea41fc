// What run.json and churn.json say alike: the machine, and what the doctor found.
#pragma once

#include <nlohmann/json.hpp>

#include "run/run_info.h"

namespace nsb::run {

nlohmann::ordered_json environment_json(const RunStart& start);
nlohmann::ordered_json findings_json(const RunStart& start);
/// As in /proc/PID/status; null where they are not known.
nlohmann::ordered_json capabilities_json(const std::optional<Capabilities>& capabilities);

}  // namespace nsb::run
