// What the records of a load come to, in memory that does not grow with their number: rows of a time line,
// the figures of each burst, and those of all.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "core/load.h"
#include "run/churn_plan.h"

namespace nsb::run {

class ChurnRecorder {
  public:
    /// `before` is what the kernel held before there was a worker.
    ChurnRecorder(const ChurnPlan& plan, std::uint64_t begin_ns, const KernelUse& before);

    /// What a worker recorded; it counts to the interval that is open.
    void add(std::size_t group, const churn::Record& record);

    /// Ends the interval at this moment of the clock, and begins the next one. `unrecorded`: operations of
    /// the load itself that were done without a record, until now. `is_torn_down`: as in a row.
    void close(std::uint64_t now_ns, const KernelUse& use, std::uint64_t unrecorded = 0,
               std::optional<bool> is_torn_down = std::nullopt);

    /// From this moment of the clock on nothing begins any more, so that nothing is due.
    void stop(std::uint64_t now_ns) { last_due_ns_ = std::min(last_due_ns_, now_ns); }

    /// The load is over: what follows is the drain.
    void end_load();
    /// So is that.
    void end_drain();

    [[nodiscard]] const std::vector<LoadRow>& rows() const { return rows_; }
    /// Those of the load.
    [[nodiscard]] std::span<const LoadRow> load() const;
    /// The same in few long rows, for people.
    [[nodiscard]] const std::vector<LoadRow>& long_rows() const { return long_rows_; }
    [[nodiscard]] std::vector<BurstRow> bursts() const;
    /// Of the intervals that are closed.
    [[nodiscard]] const Tally& total(std::size_t group) const { return totals_[group]; }
    /// Operations that have succeeded, those of the open interval too.
    [[nodiscard]] std::uint64_t done(std::size_t group) const {
        return totals_[group].done() + open_.tallies[group].done();
    }

    /// Open loop: arrivals that are due, and not done: at the end of the load those that were not begun, or
    /// under way in a worker that was killed.
    [[nodiscard]] std::uint64_t unserved() const { return backlog_.value_or(0); }

    [[nodiscard]] double seconds_since_begin(std::uint64_t now_ns) const;

  private:
    struct Stretch {
        Tally tallies[churn::kGroups];
        double begin_s = 0;
    };
    struct Burst {
        std::vector<std::uint64_t> times;
        Errors errors;
        std::uint64_t last_end = 0;
    };
    [[nodiscard]] LoadRow row_of(Stretch& stretch, double now_s, const KernelUse& use) const;
    void add_to_burst(const churn::Record& record);
    void finish(std::uint64_t begin, const Burst& burst);
    [[nodiscard]] std::uint64_t backlog_at(std::uint64_t now_ns) const;
    void close_long(double now_s, const KernelUse& use);

    ChurnPlan plan_;
    std::uint64_t begin_ns_, last_due_ns_;
    KernelUse before_;
    double long_seconds_;
    bool is_drain_ = false;
    Stretch open_, long_open_;
    Tally totals_[churn::kGroups];
    std::uint64_t unrecorded_ = 0;
    std::optional<std::uint64_t> backlog_;
    std::optional<bool> is_torn_down_;
    std::vector<LoadRow> rows_, long_rows_;
    std::size_t load_rows_ = 0;
    std::map<std::uint64_t, Burst> open_bursts_;  // by their begin
    std::map<std::uint64_t, BurstRow> bursts_;
};

}  // namespace nsb::run
