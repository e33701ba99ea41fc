// The probe's part of the command `run`.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/options.h"
#include "core/batch.h"
#include "probe/probe.h"
#include "run/measurement.h"

namespace nsb::cli {

/// The probe, loaded and tried, if it was asked for; and where --probe=auto cannot have it, the warning that
/// says so. Throws run::NotPermitted where a backend was forced.
struct OpenedProbe {
    std::optional<probe::Probe> probe;
    std::vector<std::string> warnings;
};
OpenedProbe open_probe(const Options& options, const std::vector<Case>& plan);

/// What tells of the batches of cleanup_net, if they were asked for, by the best means that can be had; and
/// where there are none, the warning that says so. Throws run::NotPermitted where one was forced.
struct OpenedBatches {
    std::unique_ptr<BatchSource> source;
    std::vector<std::string> warnings;
};
OpenedBatches open_batches(const Options& options);

/// Probes what the rounds have measured.
run::Probed run_probed_pass(const Options& options, const run::RunOptions& run, run::Measurement& measurement,
                            probe::Probe& probe, const std::function<void(double done)>& observer);

/// What the probe has to say below the table: trees for few cases, for many a word on where they are.
std::string probe_lines(const Options& options, const run::RunInfo& info, std::span<const Series> planned);

}  // namespace nsb::cli
