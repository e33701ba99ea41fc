// A run from its plan to its figures: instruments, cases, rounds, and what is known of it all.
#pragma once

#include <optional>
#include <vector>

#include "run/kernel_markers.h"
#include "run/runner.h"
#include "run/sampler_pool.h"

namespace nsb::run {

/// What a run measures with, whatever its cases are. A lab guest has it before it knows them.
struct Instruments {
    SamplerPool samplers;
    SamplerPool::Overhead overhead;
    std::optional<OpenedTeardown> teardown;  ///< absent where nobody has asked for it yet

    /// Starts the samplers that the plan takes and finds out what is permitted; nothing: a plan that comes
    /// later. Throws NotPermitted, sys::SystemError.
    static Instruments prepare(const RunOptions& options, std::optional<std::vector<Case>> plan);
};

/// What limits the figures of such a plan with these samplers.
std::vector<std::string> warnings_of(const SamplerPool& samplers, const std::vector<Case>& plan);

/// What the probed pass came to.
struct Probed {
    ProbeReport report;
    int interrupted_by = 0;  ///< a signal's number
};

class Measurement {
  public:
    /// Starts the samplers that the plan takes beside those that there are. `share`: of the budget, for the
    /// rounds. Throws sys::SystemError.
    Measurement(RunStart start, const std::vector<Case>& plan, Instruments instruments, Before before = {},
                double share = 1);
    Measurement(const Measurement&) = delete;
    Measurement(Measurement&&) = delete;
    Measurement& operator=(const Measurement&) = delete;
    Measurement& operator=(Measurement&&) = delete;
    ~Measurement() = default;

    [[nodiscard]] SamplerPool& samplers() { return samplers_; }
    [[nodiscard]] KindSet base_set() const { return facts_.base_set; }
    [[nodiscard]] Runner& runner() { return runner_; }
    [[nodiscard]] const Runner& runner() const { return runner_; }

    /// All that is known until now.
    [[nodiscard]] RunInfo describe(std::optional<Probed> probed = {}) const;

    /// The rows of the plan's cases.
    [[nodiscard]] std::vector<Row> rows() const { return runner_.rows(describe().row_context()); }

  private:
    Runner make_runner(const std::vector<Case>& plan, std::optional<OpenedTeardown> opened, Before before,
                       double share);

    RunStart start_;
    SamplerPool samplers_;
    SamplerFacts facts_;
    std::vector<MarkerSource> marker_sources_;
    Runner runner_;
};

}  // namespace nsb::run
