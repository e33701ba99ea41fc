// The rounds: blocks until every case is precise enough or the budget is spent.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <tl/expected.hpp>
#include <vector>

#include "core/series.h"
#include "run/cases.h"
#include "run/draining.h"
#include "run/markers.h"
#include "run/policy.h"
#include "run/progress.h"
#include "run/run_info.h"
#include "run/samplers.h"

namespace nsb::run {

/// What an earlier part of a run has measured.
struct Before {
    std::vector<Series> series;
    Totals totals;
    std::optional<KindSet> base_set{};  ///< what its differences were taken against; absent: nothing yet
};

class Runner {
  public:
    struct Observer {
        std::function<void(const Progress&)> progress;  ///< after each block
        std::function<void()> round_done;               ///< after each round: what was measured can be saved
    };

    /// Of `before`, samples of cases that are not measured now are left out. Without markers nothing is known
    /// of what disturbs rounds.
    Runner(RunOptions options, Cases cases, Samplers& samplers, Draining draining, Before before,
           std::unique_ptr<Markers> markers = nullptr);

    /// Measures. Returns when all is done, the budget is spent, or a signal came. Throws sys::SystemError.
    void measure(const Observer& observer);

    [[nodiscard]] const std::vector<Series>& series() const { return series_; }
    /// Those of the plan's cases, and those that only serve deltas: they are no rows of the results.
    [[nodiscard]] std::span<const Series> planned() const { return std::span(series_).first(cases_.planned); }
    [[nodiscard]] std::span<const Series> bases() const { return std::span(series_).subspan(cases_.planned); }

    [[nodiscard]] const Totals& totals() const { return totals_; }
    [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }

    /// The rows of the plan's cases.
    [[nodiscard]] std::vector<Row> rows(const RowContext& context) const {
        return rows_of(series_, cases_.planned, context);
    }

  private:
    using Clock = std::chrono::steady_clock;

    void look();
    void go_on_from(Before before);
    [[nodiscard]] Knowledge known() const;
    [[nodiscard]] std::chrono::nanoseconds time_left() const;
    [[nodiscard]] std::optional<double> seconds_left() const;
    [[nodiscard]] bool is_over() const;
    void run(std::uint32_t round, const PlannedRound& planned);
    tl::expected<std::vector<double>, std::string> measure_block(const PlannedBlock& block,
                                                                 std::uint32_t round);
    void drain(const Group& group);

    RunOptions options_;
    Cases cases_;
    Samplers& samplers_;
    Draining draining_;
    std::unique_ptr<Markers> markers_;
    std::vector<Series> series_;  // of the cases, index by index
    std::vector<Looks> looks_;    // likewise
    Totals totals_;
    std::vector<std::string> warnings_;
    std::uint32_t incomplete_ = 0;  // waits for teardown that was not seen to end, after conditions as well
    std::chrono::nanoseconds drain_limit_ = std::chrono::seconds(1);
    /// What a signal has to wait for. No block of the plan takes as long: one that is cut short is another
    /// one.
    std::chrono::nanoseconds longest_block_ = std::chrono::seconds(5);
    bool is_cut_ = false;
    bool is_told_of_suspension_ = false;
    struct {
        double all = 0;          // of the blocks of a fixed number of samples, when the rounds began
        double left = 0;         // when this one began
        double left_behind = 0;  // when it ends
    } fixed_;
    std::uint32_t blocks_ = 0;
    struct {
        std::uint32_t before = 0;   // blocks that were taken before it
        std::uint64_t samples = 0;  // that it has
    } batch_;
    Clock::time_point begun_, warmed_up_;
    Progress progress_{};
    std::function<void(const Progress&)> observe_;
};

}  // namespace nsb::run
