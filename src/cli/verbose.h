// What --verbose says before the first round: how it is measured, and what the machine is.
#pragma once

#include <string>

#include "run/run_info.h"

namespace nsb::cli {

/// How long blocks are and when it ends, as whom it is measured, the machine's properties, and the doctor's
/// notes.
std::string verbose_lines(const run::RunInfo& info);

}  // namespace nsb::cli
