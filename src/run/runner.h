// The measuring itself: rounds of blocks until every case is precise enough or the budget is spent.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "env/teardown.h"
#include "run/run_info.h"
#include "run/schedule.h"
#include "run/sampler_pool.h"

namespace nsb::run {

struct Progress {
    std::uint32_t round;
    std::size_t blocks_done, blocks_in_round;
    std::size_t cases, cases_precise;
    double elapsed_s;
    std::optional<double> left_s;  ///< about; absent where nothing tells
};

/// What a run starts from whatever its cases are. A lab guest makes it before it knows them.
struct Crew {
    SamplerPool samplers;
    SamplerPool::Overhead overhead;
    /// Absent where nobody has asked for it yet.
    std::optional<tl::expected<env::TeardownWatch, sys::Refusal>> teardown;

    /// Starts `size` samplers and finds out what is permitted. Throws NotPermitted, sys::SystemError.
    static Crew assemble(const RunOptions& options, std::size_t size);
};

class Runner {
  public:
    struct Observer {
        std::function<void(const Progress&)> progress;  ///< after each block
        std::function<void()> round_done;               ///< after each round: what was measured can be saved
    };

    /// `plan` has no case twice. Adds what it learns to `info`. Throws NotPermitted, sys::SystemError.
    Runner(RunInfo& info, const std::vector<Case>& plan, Crew crew);
    Runner(RunInfo& info, const std::vector<Case>& plan);

    /// Goes on from samples measured before: those of cases that are not of the plan are left out.
    void resume(const std::vector<Series>& measured, std::uint32_t rounds);

    /// Measures. Returns when all is done, the budget is spent, or a signal came.
    void measure(const Observer& observer);

    /// Spends only this part of the budget: the rest is for the probed pass.
    void spend(double share) { share_ = share; }

    [[nodiscard]] SamplerPool& samplers() { return samplers_; }

    /// The plan's cases in its order, then the bases that only serve deltas.
    [[nodiscard]] const std::vector<Series>& series() const { return series_; }

    /// Those of them that only serve deltas: they are no rows of the results.
    [[nodiscard]] std::span<const Series> bases() const { return std::span(series_).subspan(planned_); }

    /// The rows of the plan's cases.
    [[nodiscard]] std::vector<Row> rows() const;

  private:
    using Clock = std::chrono::steady_clock;

    void describe_samplers(const SamplerPool::Overhead& overhead);
    void watch_teardown(std::optional<tl::expected<env::TeardownWatch, sys::Refusal>> watch);
    void describe_root();
    void describe_stage();
    [[nodiscard]] std::chrono::nanoseconds time_left() const;
    [[nodiscard]] std::optional<double> seconds_left() const;
    [[nodiscard]] bool is_over() const;
    /// How many counted samples the next block of a planned case should have; 0 once it has enough.
    [[nodiscard]] std::uint32_t samples_wanted(std::size_t i) const;
    [[nodiscard]] std::vector<PlannedBlock> blocks_of_round(std::uint32_t round);
    [[nodiscard]] std::uint32_t choose_block_size() const;
    void run(std::uint32_t round, const std::vector<PlannedBlock>& planned);
    tl::expected<std::vector<double>, std::string> visit(const PlannedBlock& visit, std::uint32_t round);
    void drain(const Group& group, std::uint32_t round);
    [[nodiscard]] const Series* find(const Case& c) const;

    RunInfo& info_;
    SamplerPool samplers_;
    std::size_t planned_ = 0;  // how many of series_ are the plan's
    std::vector<Series> series_;
    std::vector<Case> cases_;  // of series_, index by index
    std::optional<env::TeardownWatch> teardown_;
    std::chrono::nanoseconds drain_limit_ = std::chrono::seconds(1);
    env::PendingTeardown left_{};
    std::vector<std::optional<std::size_t>> base_;  // index by index, into series_
    std::vector<bool> precise_;
    std::vector<RoundMedians> medians_;  // index by index
    std::uint32_t blocks_ = 0;
    std::uint32_t first_round_ = 1;
    Clock::time_point begun_;
    double share_ = 1;  // of the budget
    Progress progress_{};
    std::function<void(const Progress&)> observe_;
};

/// The rows of the first `planned` series; bases are looked up among all.
std::vector<Row> rows_of(std::span<const Series> series, std::size_t planned, const RowContext& context);

/// Which namespaces `samples` samples of a case leave to the kernel's workers.
env::PendingTeardown pending_teardown(const Case& c, std::uint32_t samples, bool in_userns);

}  // namespace nsb::run
