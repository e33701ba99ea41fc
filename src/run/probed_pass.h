// The second pass: the plan's cases once more, with the probe attached, and without it in between.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "core/probed.h"
#include "probe/attribution.h"
#include "probe/probe.h"
#include "run/block_shape.h"
#include "run/draining.h"
#include "run/run_options.h"
#include "run/sampler_pool.h"

namespace nsb::run {

class ProbedPass {
  public:
    /// `cases`: what to probe, the bases of their deltas among them; `base_set`: that of the bases.
    /// `draining`: between all blocks.
    ProbedPass(SamplerPool& samplers, RunOptions options, probe::Probe& probe, const std::vector<Case>& cases,
               KindSet base_set, bool wants_stacks, Draining draining);

    /// Called with the share that is done, 0 to 1.
    using OnProgress = std::function<void(double done)>;

    /// Probes all cases, for about `budget` where no number of samples is fixed. Ends early on a signal:
    /// what was not reached is left out.
    ProbeReport run(std::optional<std::chrono::nanoseconds> budget, const OnProgress& observer);

  private:
    using Clock = std::chrono::steady_clock;

    struct Work {
        Case c;
        probe::Observations functions, stacks, memory;
        std::vector<double> unprobed, probed;  // times of the first phase
        std::vector<double> pending;           // of executions whose calls wait to be told typical or not,
        std::vector<std::vector<probe::CallEntry>> pending_calls;
        std::uint32_t unseen_teardowns = 0;  // probed blocks whose async figures are left out
        std::string error;
    };
    /// A part of the pass: rounds in which each case has one block.
    struct Part {
        double share = 1;          ///< of the budget, beside the other parts'
        std::uint32_t rounds = 1;  ///< where samples are fixed, or there is no budget
        std::uint32_t block = 1;   ///< samples in a row, whose teardown is waited for before the next block
        bool once = false;         ///< one round at most, also where the budget has room for more
    };

    /// Whether the probe follows it, and nothing has failed.
    static bool is_followed(const Work& work) { return work.error.empty(); }
    void carry_out(const Part& part, const std::function<void(Work&)>& take_one);
    /// Whether what other cases add is told by it.
    [[nodiscard]] bool is_base(const Work& work) const;
    struct Block {
        std::vector<double> times;  ///< of the first phase
        bool has_own_teardown;      ///< all of it, and none of the block before, as far as it is watched
    };
    /// Samples of one block, and its teardown.
    Block take(Work& work, std::uint32_t samples);
    /// Whether the probe follows the samplers; else the case has an error.
    bool begin(Work& work);
    /// A block of so many samples; several where their number is fixed and one has no room for them.
    void in_batches(const Work& work, std::uint32_t block,
                    const std::function<void(std::uint32_t samples)>& take_samples) const;
    void take_unprobed(Work& work, std::uint32_t block);
    void take_probed(Work& work, std::uint32_t block, probe::Observations Work::*into);
    void take_memory(Work& work, std::uint32_t block);
    /// Adds the typical ones of the executions that wait for it to the functions' times.
    static void tell_typical(Work& work);

    [[nodiscard]] std::uint32_t lead_in(const Work& work) const { return shape_of(work.c, options_).lead_in; }
    bool attach(probe::Pass pass);
    void take_passes(bool calls, bool both);
    void alternate(probe::Pass pass, probe::Observations Work::*into);
    void calibrate_call();
    void note_missed();
    void fit_cost();
    [[nodiscard]] ProbedCase attribute(Work& work) const;

    SamplerPool& samplers_;
    RunOptions options_;
    probe::Probe& probe_;
    KindSet base_set_;
    bool wants_stacks_;
    std::vector<Work> works_;
    Draining draining_;
    bool is_behind_ = false;  // the last block's teardown was not seen to end
    std::optional<std::chrono::nanoseconds> budget_;
    std::chrono::nanoseconds limit_ = std::chrono::seconds(1);  // for one block
    double unprobed_call_ = 0;                                  // ticks of unshare(0)
    std::uint32_t round_ = 0;
    double shares_ = 0, shares_done_ = 0;
    OnProgress observer_;
    ProbeReport report_;
};

}  // namespace nsb::run
