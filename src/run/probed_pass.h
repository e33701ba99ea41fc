// The second pass: the plan's cases once more, with the probe attached, and without it in between.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "core/probed.h"
#include "env/teardown.h"
#include "probe/attribution.h"
#include "probe/probe.h"
#include "run/run_info.h"
#include "run/team.h"

namespace nsb::run {

class ProbedPass {
  public:
    /// `cases`: what to probe, the bases of their deltas among them.
    ProbedPass(Team& team, const RunInfo& info, probe::Probe& probe, std::vector<Case> cases,
               bool wants_stacks);

    /// Called with the share that is done, 0 to 1.
    using Observer = std::function<void(double done)>;

    /// Probes all cases, for about `budget` where no number of samples is fixed. Ends early on a signal:
    /// cases that were not reached are left out.
    ProbeReport run(std::optional<std::chrono::nanoseconds> budget, const Observer& observer);

  private:
    using Clock = std::chrono::steady_clock;

    struct Work {
        Case c;
        probe::Seen functions, stacks, memory;
        std::vector<double> unprobed, probed;  // of the first phase
        std::string error;
    };
    struct Taken {
        std::uint64_t samples = 0;
        std::vector<double> times;
    };
    Taken take(Work& work, std::uint64_t samples, std::chrono::nanoseconds limit);
    void drain(const Case& c, std::uint64_t samples);
    void look(Work& work, probe::Seen Work::*into, std::uint64_t samples);
    void each_case(const std::function<void(Work&)>& visit);
    void calibrate_call();
    [[nodiscard]] ProbedCase attribute(const Work& work) const;

    Team& team_;
    const RunInfo& info_;
    probe::Probe& probe_;
    bool wants_stacks_;
    std::vector<Work> works_;
    std::optional<env::TeardownWatch> teardown_;
    std::chrono::nanoseconds share_ = std::chrono::hours(1);  // of the budget, for one case in one pass
    double unprobed_call_ = 0;                                // ticks of unshare(0)
    double call_cost_ = 0;
    std::size_t steps_ = 0, steps_done_ = 0;
    Observer observer_;
};

}  // namespace nsb::run
