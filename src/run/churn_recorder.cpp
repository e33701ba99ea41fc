#include "run/churn_recorder.h"

#include <algorithm>
#include <array>

namespace nsb::run {
namespace {

/// Rows that a person reads of a load.
constexpr double kMostLong = 20;

/// The length of a long row: a round number of seconds.
double long_seconds(const ChurnPlan& plan) {
    constexpr std::array kRound{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600};
    const double least = std::max(std::chrono::duration<double>(plan.duration).count() / kMostLong,
                                  std::chrono::duration<double>(plan.interval()).count());
    if (least <= 0.5) return std::chrono::duration<double>(plan.interval()).count();
    const auto* const at = std::ranges::find_if(kRound, [&](int seconds) { return seconds >= least; });
    return at == kRound.end() ? least : *at;
}

}  // namespace

ChurnRecorder::ChurnRecorder(const ChurnPlan& plan, std::uint64_t begin_ns, const KernelUse& before)
    : plan_(plan),
      begin_ns_(begin_ns),
      last_due_ns_(begin_ns + static_cast<std::uint64_t>(plan.duration.count()) - 1),
      before_(before),
      long_seconds_(long_seconds(plan)) {}

double ChurnRecorder::seconds_since_begin(std::uint64_t now_ns) const {
    return now_ns > begin_ns_ ? static_cast<double>(now_ns - begin_ns_) / 1e9 : 0;
}

void ChurnRecorder::add(std::size_t group, const churn::Record& record) {
    open_.tallies[group].add(record);
    if (group == 0 && plan_.loop == churn::Loop::burst) add_to_burst(record);
}

void ChurnRecorder::add_to_burst(const churn::Record& record) {
    Burst& burst = open_bursts_[record.intended];
    burst.last_end = std::max(burst.last_end, record.end);
    if (record.failure.error != 0) {
        ++burst.errors[record.failure.error];
    } else {
        burst.times.push_back(record.end - record.intended);
    }
    if (burst.times.size() + count_of(burst.errors) < plan_.workers) return;
    finish(record.intended, burst);
    open_bursts_.erase(record.intended);
}

void ChurnRecorder::finish(std::uint64_t begin, const Burst& burst) {
    const auto done = static_cast<double>(burst.times.size());
    const auto took = static_cast<double>(burst.last_end - begin) / 1e9;
    bursts_[begin] = {seconds_since_begin(begin), latencies_of(burst.times), burst.errors,
                      took > 0 ? done / took : 0};
}

std::uint64_t ChurnRecorder::backlog_at(std::uint64_t now_ns) const {
    const std::uint64_t until = std::min(now_ns, last_due_ns_);
    if (until < begin_ns_) return 0;
    const std::uint64_t due = due_arrivals(plan_.period_ns(), until - begin_ns_);
    const std::uint64_t answered = totals_[0].done() + count_of(totals_[0].errors) + unrecorded_;
    return due > answered ? due - answered : 0;
}

LoadRow ChurnRecorder::row_of(Stretch& stretch, double now_s, const KernelUse& use) const {
    LoadRow row;
    row.is_drain = is_drain_;
    row.begin_s = stretch.begin_s;
    row.seconds = now_s - stretch.begin_s;
    row.done = stretch.tallies[0].done();
    row.errors = stretch.tallies[0].errors;
    row.latency = latencies_of(stretch.tallies[0].latency);
    row.create = latencies_of(stretch.tallies[0].create);
    row.backlog = is_drain_ ? std::nullopt : backlog_;
    row.background_done = stretch.tallies[1].done();
    row.background_errors = stretch.tallies[1].errors;
    row.use = use;
    if (use.namespaces && before_.namespaces)
        row.not_freed = *use.namespaces > *before_.namespaces ? *use.namespaces - *before_.namespaces : 0;
    row.is_torn_down = is_torn_down_;
    for (Tally& tally : stretch.tallies) tally.clear();
    stretch.begin_s = now_s;
    return row;
}

void ChurnRecorder::close(std::uint64_t now_ns, const KernelUse& use, std::uint64_t unrecorded,
                          std::optional<bool> is_torn_down) {
    const double now_s = seconds_since_begin(now_ns);
    unrecorded_ = unrecorded;
    is_torn_down_ = is_torn_down;
    for (std::size_t group = 0; group < churn::kGroups; ++group) {
        totals_[group].add(open_.tallies[group]);
        long_open_.tallies[group].add(open_.tallies[group]);
    }
    if (plan_.loop == churn::Loop::open) backlog_ = backlog_at(now_ns);
    rows_.push_back(row_of(open_, now_s, use));
    // A row that ends a little early by the clock ends here all the same; the last one takes the rest along.
    const double half = std::chrono::duration<double>(plan_.interval()).count() / 2;
    if (!is_drain_ && now_s + half >= std::chrono::duration<double>(plan_.duration).count()) return;
    if (now_s - long_open_.begin_s >= long_seconds_ - half) close_long(now_s, use);
}

void ChurnRecorder::close_long(double now_s, const KernelUse& use) {
    long_rows_.push_back(row_of(long_open_, now_s, use));
}

void ChurnRecorder::end_drain() {
    if (!rows_.empty() && rows_.back().end_s() > long_open_.begin_s)
        close_long(rows_.back().end_s(), rows_.back().use);
}

void ChurnRecorder::end_load() {
    end_drain();
    load_rows_ = rows_.size();
    is_drain_ = true;
    for (const auto& [begin, burst] : open_bursts_) finish(begin, burst);
    open_bursts_.clear();
}

std::span<const LoadRow> ChurnRecorder::load() const {
    return std::span(rows_).first(is_drain_ ? load_rows_ : rows_.size());
}

std::vector<BurstRow> ChurnRecorder::bursts() const {
    std::vector<BurstRow> rows;
    for (const auto& [begin, row] : bursts_) rows.push_back(row);
    return rows;
}

}  // namespace nsb::run
