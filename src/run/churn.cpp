#include "run/churn.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "core/failure.h"
#include "env/kernel_use.h"
#include "env/teardown_view.h"
#include "report/format.h"
#include "run/churn_load.h"
#include "run/interrupt.h"
#include "run/needs.h"
#include "sys/clock.h"
#include "sys/privilege.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

/// Between two looks at what was recorded.
constexpr auto kLook = 25ms;
/// For the operations that are under way when the time is over: namespaces are made under locks of the kernel
/// that a loaded one holds for long.
constexpr std::uint64_t kUnderWay = 30'000'000'000;
constexpr double kSavedEvery = 5;

std::uint64_t ns_of(std::chrono::nanoseconds time) {
    return static_cast<std::uint64_t>(time.count());
}

/// One load: what is done in turn until it is over, and after that.
class Carrying {
  public:
    Carrying(const ChurnPlan& plan, const ChurnHooks& hooks, BatchSource* batches)
        : plan_(plan),
          hooks_(hooks),
          reader_(plan.made()),
          teardown_(plan.made()),
          before_(reader_.read()),
          load_(plan),
          begin_(begin()),
          recorder_(plan, begin_, before_) {
        if (batches != nullptr) batches_.emplace(*batches, begin_);
    }

    ChurnResult run() {
        load();
        load_seconds_ = recorder_.rows().empty() ? 0 : recorder_.rows().back().end_s();
        recorder_.end_load();
        drain();
        recorder_.end_drain();
        return result();
    }

  private:
    std::uint64_t begin() {
        if (const std::string more = kept_more(load_.privilege(), load_.keep()); !more.empty())
            hooks_.warn(more);
        return load_.begin();
    }

    void load() {
        std::uint64_t next = begin_ + ns_of(plan_.interval());
        for (bool is_over = false; !is_over;) {
            std::this_thread::sleep_for(kLook);
            is_over = load_.is_over();
            take();
            const std::uint64_t now = sys::now();
            if (!is_stopped_) look_for_end();
            if (is_stopped_ || now > begin_ + ns_of(plan_.duration)) end_hanging(now);
            if (now < next && !is_over) continue;
            close(std::max(now, begin_));
            while (next <= now) next += ns_of(plan_.interval());
            tell_of_load();
            save();
        }
        if (end_.because != LoadEnd::Because::unfinished) return;
        if (load_.died() > 0) {
            end_ = {LoadEnd::Because::fault,
                    fmt::format("{} of {} workers ended before their time, as if killed", load_.died(),
                                plan_.all_workers())};
        } else if (!load_.has_ended()) {
            end_ = {LoadEnd::Because::fault, "the process of the workers was killed"};
        } else {
            end_.because = LoadEnd::Because::time;
        }
    }

    void close(std::uint64_t now) {
        recorder_.close(now, reader_.read(), load_.unrecorded(0), teardown_.is_done(made()));
    }

    /// How many namespaces of each kind were made until now. An operation without a record counts as one that
    /// made them.
    [[nodiscard]] env::PendingTeardown made() const {
        env::PendingTeardown made{};
        const auto add = [&](KindSet set, std::uint64_t times) {
            for (const KindInfo& kind : kKinds) {
                if (set.contains(kind.kind))
                    made[static_cast<std::size_t>(kind.kind)] += static_cast<std::uint32_t>(times);
            }
        };
        add(plan_.set, recorder_.done(0) + load_.unrecorded(0));
        if (plan_.background) add(plan_.background->set, recorder_.done(1) + load_.unrecorded(1));
        return made;
    }

    void take() {
        if (batches_) batches_->take();
        load_.take([&](std::size_t group, const churn::Record& record) {
            recorder_.add(group, record);
            failures_[group].see(record);
        });
    }

    void look_for_end() {
        if (interrupted_by() != 0) return stop({LoadEnd::Because::signal, ""});
        if (auto end = failures_[0].end(plan_.set)) return stop(std::move(*end));
        if (!plan_.background) return;
        if (auto end = failures_[1].end(plan_.background->set)) {
            end->why = fmt::format("in the background: {}", end->why);
            stop(std::move(*end));
        }
    }

    void stop(LoadEnd end) {
        end_ = std::move(end);
        is_stopped_ = true;
        stopped_at_ = sys::now();
        load_.stop();
        recorder_.stop(stopped_at_);
    }

    /// Operations under way have some time; a worker that was stopped, or hangs in the kernel, is not waited
    /// for for ever.
    void end_hanging(std::uint64_t now) {
        const std::uint64_t end = is_stopped_ ? stopped_at_ : begin_ + ns_of(plan_.duration);
        if (now < end + kUnderWay || is_killed_) return;
        is_killed_ = true;
        load_.kill();
        if (end_.because == LoadEnd::Because::unfinished)
            end_ = {LoadEnd::Because::fault,
                    fmt::format("a worker did not end within {} s", kUnderWay / 1'000'000'000)};
    }

    void drain() {
        const KernelUse use = reader_.read();
        if (end_.because == LoadEnd::Because::signal || (!use.memory() && !use.namespaces)) return;
        was_drained_ = true;
        const std::uint64_t limit = sys::now() + ns_of(plan_.drain);
        std::uint64_t next = sys::now() + ns_of(plan_.interval());
        for (bool is_over = false; !is_over && interrupted_by() == 0;) {
            std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(kLook, plan_.drain));
            if (batches_) batches_->take();
            const std::uint64_t now = sys::now();
            is_over = now >= limit;
            if (now < next && !is_over) continue;
            close(now);
            next = now + ns_of(plan_.interval());
            settled_ = settled_at(before_, recorder_.rows());
            if (settled_ && recorder_.rows().back().end_s() - load_seconds_ >= kSettledFor) return;
            tell_of_drain();
            save();
        }
        settled_.reset();
    }

    void tell_of_load() const {
        const LoadRow& row = recorder_.rows().back();
        hooks_.tell(fmt::format("load: {:.1f} of {:.1f} s, {:.0f}/s, {} failed{}{}", row.end_s(),
                                std::chrono::duration<double>(plan_.duration).count(), row.rate(),
                                count_of(recorder_.total(0).errors),
                                row.backlog ? fmt::format(", {} waiting", *row.backlog) : "",
                                row.not_freed ? fmt::format(", {} not freed", *row.not_freed) : ""));
    }

    void tell_of_drain() const {
        const LoadRow& row = recorder_.rows().back();
        const auto memory = row.use.memory();
        const auto before = before_.memory();
        hooks_.tell(fmt::format(
            "drain: {:.1f} s{}{}", row.end_s() - load_seconds_,
            row.not_freed ? fmt::format(", {} not freed", *row.not_freed) : "",
            memory && before
                ? fmt::format(", {} above the start", report::format_bytes(static_cast<double>(*memory) -
                                                                           static_cast<double>(*before)))
                : ""));
    }

    void save() {
        const double now = recorder_.rows().back().end_s();
        if (now < saved_s_ + kSavedEvery) return;
        saved_s_ = now;
        hooks_.save(result());
    }

    [[nodiscard]] ChurnResult result() const {
        ChurnResult result;
        result.end = end_;
        result.interrupted_by = interrupted_by();
        result.rows = recorder_.rows();
        result.long_rows = recorder_.long_rows();
        result.bursts = recorder_.bursts();
        const auto load = recorder_.load();
        result.seconds = load.empty() ? 0 : load.back().end_s();
        result.total = recorder_.total(0);
        result.background = recorder_.total(1);
        if (plan_.loop == churn::Loop::open)
            result.held = judge(load, {plan_.rate, plan_.workers, load_.unrecorded(0)});
        result.rate_at_end = nsb::rate_at_end(load);
        result.unserved = recorder_.unserved();
        result.unrecorded = load_.unrecorded(0) + load_.unrecorded(1);
        result.before = before_;
        result.caches = reader_.caches();
        result.not_counted = reader_.unknown();
        result.teardown_unseen = teardown_.unseen();
        result.was_drained = was_drained_;
        result.drained_s = result.rows.empty() ? 0 : result.rows.back().end_s() - result.seconds;
        if (batches_) result.batches = batches_->figures();
        result.capabilities = kept_by(load_.privilege());
        if (was_drained_ && settled_) result.settled_s = std::max(0.0, *settled_ - result.seconds);
        return result;
    }

    const ChurnPlan& plan_;
    const ChurnHooks& hooks_;
    env::KernelUseReader reader_;
    env::TeardownView teardown_;
    KernelUse before_;
    ChurnLoad load_;
    std::uint64_t begin_;
    ChurnRecorder recorder_;
    std::optional<BatchRecorder> batches_;
    FailureWatch failures_[churn::kGroups];
    LoadEnd end_;
    bool is_stopped_ = false, is_killed_ = false, was_drained_ = false;
    std::uint64_t stopped_at_ = 0;
    double load_seconds_ = 0, saved_s_ = -kSavedEvery;
    std::optional<double> settled_;
};

}  // namespace

void FailureWatch::see(const churn::Record& record) {
    if (record.failure.error == 0) {
        succeeded_ = std::max(succeeded_, record.end);
        if (failing_since_ <= succeeded_) failing_since_ = failed_ = 0;
    } else if (record.end > succeeded_) {
        if (record.end >= failed_) last_ = record.failure;
        failing_since_ = failing_since_ == 0 ? record.end : std::min(failing_since_, record.end);
        failed_ = std::max(failed_, record.end);
    }
}

std::optional<LoadEnd> FailureWatch::end(KindSet set) const {
    if (failing_since_ == 0) return std::nullopt;
    const std::string why =
        fmt::format("{}: {}", errno_name(last_.error), explain(last_, set, sys::held_capabilities()));
    if (is_unsupported(last_)) return LoadEnd{LoadEnd::Because::unsupported, why};
    if (failed_ < failing_since_ + ns_of(kPatienceWithLimits)) return std::nullopt;
    const bool is_limit = !limit_behind_call(last_.error).empty();
    return LoadEnd{is_limit ? LoadEnd::Because::limit : LoadEnd::Because::fault, why};
}

ChurnResult carry_out(const ChurnPlan& plan, const ChurnHooks& hooks, BatchSource* batches) {
    return Carrying(plan, hooks, batches).run();
}

}  // namespace nsb::run
