// The probe's part of the command `run`.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/options.h"
#include "probe/probe.h"
#include "run/runner.h"

namespace nsb::cli {

/// The probe, loaded and tried, if it was asked for. Where --probe=auto cannot have it, says so in `info`;
/// throws run::NotPermitted where a backend was forced.
std::optional<probe::Probe> open_probe(const Options& options, const std::vector<Case>& plan,
                                       run::RunInfo& info);

/// Probes what the runner measured; the report goes into `info`.
void run_probed_pass(const Options& options, run::RunInfo& info, run::Runner& runner, probe::Probe& probe,
                     const std::function<void(double done)>& observer);

/// What the probe has to say below the table: trees for few cases, for many a word on where they are.
std::string probe_lines(const Options& options, const run::RunInfo& info, const run::Runner& runner);

}  // namespace nsb::cli
