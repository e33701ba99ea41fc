// What is shown of a run's figures: table and digest, or the digest as Markdown or JSON.
#pragma once

#include <string>

#include "cli/options.h"
#include "run/summary.h"

namespace nsb::cli {

/// Whether standard output is for one text that other programs read, and nothing else goes there.
bool is_output_taken(const Options& options);

/// Prints them. `probed` is what the probe has to say, and `last` what comes behind all else.
void print_results(const Options& options, const run::Summary& summary, const std::string& probed,
                   const std::string& last);

}  // namespace nsb::cli
