#include "run/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "core/failure.h"
#include "run/block_shape.h"
#include "run/interrupt.h"
#include "run/limits.h"
#include "run/rounds.h"
#include "run/taken_block.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

/// Batches whose teardown was not seen to end, after which less is waited for what does not come.
constexpr std::uint32_t kMostIncomplete = 3;
constexpr auto kShortDrain = 100ms;

double seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

/// Whether a child's moment is outside of its sample because the time stamp counter began anew in a
/// suspension. Without one the counters of two CPUs disagree, and no figure of the case can be trusted.
bool is_of_suspension(const TakenBlock& taken) {
    return taken.was_suspended && taken.failure->call == protocol::Call::child &&
           taken.failure->error == ERANGE;
}

/// Whether an earlier part of the run ended this case for a reason that is none of the case's: whatever
/// befell the sampler, or a runtime that may have been installed since. Counters that disagree
/// (is_of_suspension) are not among them: they made what was measured before suspect.
bool is_tried_again(const protocol::Failure& failure) {
    return failure.call == protocol::Call::sampler || failure.call == protocol::Call::runtime;
}

}  // namespace

Runner::Runner(RunOptions options, Cases cases, Samplers& samplers, Draining draining, Before before,
               std::unique_ptr<Markers> markers)
    : options_(std::move(options)),
      cases_(std::move(cases)),
      samplers_(samplers),
      draining_(std::move(draining)),
      markers_(std::move(markers)),
      looks_(cases_.all.size()) {
    for (const Case& c : cases_.all) series_.push_back({c, {}, {}});
    go_on_from(std::move(before));
}

void Runner::go_on_from(Before before) {
    totals_ = std::move(before.totals);
    std::map<Case, Series*> earlier;
    for (Series& series : before.series) earlier[series.measured] = &series;
    for (Series& own : series_) {
        const auto found = earlier.find(own.measured);
        if (found == earlier.end()) continue;
        own = std::move(*found->second);
        if (own.failure && is_tried_again(*own.failure)) own.failure.reset();
        if (own.samples.empty()) continue;
        blocks_ = std::max(blocks_, own.samples.back().block);
        // Samples of an earlier nsbench may have come from a round that run.json does not know of, where it
        // was killed while it wrote.
        for (const Stretch& stretch : own.samples.stretches())
            totals_.rounds = std::max(totals_.rounds, stretch.round);
    }
    batch_.before = blocks_;
    look();
    totals_.block_shapes = shapes_of(cases_.all, options_);
    totals_.blocks_in_round = blocks_in_round(cases_.planned, options_);
}

void Runner::look() {
    for (std::size_t i = 0; i < series_.size(); ++i) looks_[i].extend(series_[i]);
    const std::span planned = std::span(looks_).first(cases_.planned);
    // Nothing is labelled for nobody: each time takes as long as there are rounds.
    if (options_.samples || std::ranges::none_of(planned, &Looks::is_due)) return;
    RowContext context{options_.precision, {}, {}, options_.clock};
    if (options_.disturbed == Disturbed::drop) {
        label(totals_.marks);
        context.left_out = disturbed_rounds(totals_.marks);
    }
    for (std::size_t i = 0; i < planned.size(); ++i) planned[i].look(series_[i], context);
}

Knowledge Runner::known() const {
    const bool has_time = options_.budget && Clock::now() - warmed_up_ < *options_.budget * kShareOfHeadlines;
    return {options_, cases_, series_, looks_, options_.begins_with_headlines() && has_time};
}

std::chrono::nanoseconds Runner::time_left() const {
    return options_.budget ? *options_.budget - (Clock::now() - begun_) : 1h;
}

std::optional<double> Runner::seconds_left() const {
    if (options_.budget) return seconds(time_left());
    if (!options_.samples || progress_.round == 0) return std::nullopt;
    const double of_round =
        static_cast<double>(progress_.blocks_done) / static_cast<double>(progress_.blocks_in_round);
    const double left = fixed_.left + (fixed_.left_behind - fixed_.left) * of_round;
    if (left >= fixed_.all) return std::nullopt;
    return progress_.elapsed_s * left / (fixed_.all - left);
}

bool Runner::is_over() const {
    // What could not be read again is not written.
    const bool is_full = std::max({totals_.rounds, blocks_, totals_.drains}) >= kRounds.high;
    return is_full || interrupted_by() != 0 || time_left() <= 0ns;
}

void Runner::measure(const Observer& observer) {
    begun_ = Clock::now();
    observe_ = observer.progress;
    // What is saved after a round says how long the run has taken until then: it may be killed.
    const auto count_time = [&, before = totals_.seconds] {
        totals_.seconds = before + seconds(Clock::now() - begun_);
    };
    const auto end_round = [&] {
        count_time();
        if (observer.round_done) observer.round_done();
    };
    // A resumed run warms up only what it had not reached.
    if (const PlannedRound warm_up = plan_round(known(), 0); warm_up.blocks > 0) run(0, warm_up);
    warmed_up_ = Clock::now();
    totals_.warm_up_seconds += seconds(warmed_up_ - begun_);
    end_round();
    for (std::uint32_t round = totals_.rounds + 1; !is_over(); ++round) {
        const PlannedRound planned = plan_round(known(), round);
        if (planned.blocks == 0) break;
        totals_.rounds = round;
        if (planned.is_of_headlines) ++totals_.headline_rounds;
        if (markers_) markers_->begin();
        run(round, planned);
        if (markers_) totals_.marks.push_back(markers_->end(round));
        end_round();
    }
    count_time();
    totals_.interrupted_by = interrupted_by();
}

void Runner::run(std::uint32_t round, const PlannedRound& planned) {
    progress_.round = round;
    progress_.blocks_done = 0;
    progress_.blocks_in_round = planned.blocks;
    progress_.cases = cases_.planned;
    progress_.cases_precise = planned.cases_precise;
    if (options_.samples) {
        fixed_.left = blocks_left_of_fixed(known());
        fixed_.all = std::max(fixed_.all, fixed_.left);
        fixed_.left_behind = fixed_.left - static_cast<double>(planned.cases_open);
    }
    draining_.begin();
    run_round(
        planned.groups, cases_.all,
        [&](const PlannedBlock& block) -> tl::expected<std::vector<double>, std::string> {
            if (is_over()) return tl::unexpected<std::string>("the run is over");
            auto times = measure_block(block, round);
            ++progress_.blocks_done;
            progress_.elapsed_s = seconds(Clock::now() - begun_);
            progress_.left_s = seconds_left();
            if (observe_) observe_(progress_);
            return times;
        },
        [&](const Group& group) { drain(group); });
    look();
}

tl::expected<std::vector<double>, std::string> Runner::measure_block(const PlannedBlock& block,
                                                                     std::uint32_t round) {
    Series& series = series_[block.series];
    if (series.failure) return tl::unexpected<std::string>("failed before");
    const TakenBlock taken =
        take_block(samplers_, series.measured, block.lead_in, block.samples, longest_block_);
    ++blocks_;
    draining_.add(taken);
    batch_.samples += taken.samples.size();
    for (const TakenBlock::Sample& sample : taken.samples) {
        series.samples.push_back({round, blocks_, block.counted && !sample.is_lead_in, sample.times, 0,
                                  sample.sampler, sample.ended});
    }
    if (taken.failure && is_of_suspension(taken)) {
        if (!std::exchange(is_told_of_suspension_, true)) {
            warnings_.push_back(fmt::format(
                "{}: a block ended early: the machine was suspended, and its time stamp counter began anew",
                to_string(series.measured)));
        }
        return tl::unexpected<std::string>("the machine was suspended");
    }
    if (taken.failure) {
        series.failure = taken.failure;
        series.said = taken.said;
        // A runtime that has never done it cannot do it here; one that has, broke.
        if (series.failure->call == protocol::Call::runtime && series.failure->error == ECHILD &&
            series.samples.empty()) {
            series.failure->error = EOPNOTSUPP;
        }
        return tl::unexpected(explain(*series.failure));
    }
    const std::size_t whole = std::size_t{block.lead_in + block.samples} * series.measured.at_once();
    if (taken.samples.size() < whole && !std::exchange(is_cut_, true)) {
        warnings_.push_back(
            fmt::format("{}: a block took longer than {} s and was cut short, so that it has fewer samples",
                        to_string(series.measured), longest_block_ / 1s));
    }
    std::vector<double> times = taken.counted(series.measured.phases().front());
    // Not even the lead-in has fitted in: there would never be a sample.
    if (times.empty()) longest_block_ *= 2;
    // Google Benchmark counts one sampler's samples as iterations.
    times.resize(std::min<std::size_t>(times.size(), block.samples));
    return times;
}

void Runner::drain(const Group& group) {
    const auto batch = std::exchange(batch_, {blocks_, 0});
    const auto drained = draining_.wait(drain_limit_);
    const bool is_of_conditions = std::ranges::any_of(group, [&](const PlannedBlock& block) {
        return left_by_conditions(series_[block.series].measured) > 0;
    });
    if (!drained) return;
    if (!drained->complete && ++incomplete_ == kMostIncomplete) {
        // Something here keeps namespaces alive: wait less for what does not come.
        drain_limit_ = kShortDrain;
        warnings_.emplace_back("the teardown of some namespaces was not seen to end within 1 s");
    }
    // The namespaces of conditions are no batch: `drains` in run.json tells how large those are.
    if (is_of_conditions) return;
    ++totals_.drains;
    if (!drained->complete) ++totals_.drains_incomplete;
    totals_.drained_samples += batch.samples;
    for (const PlannedBlock& block : group) {
        Series& series = series_[block.series];
        if (!info(series.measured.operation).phases.contains(Phase::drain)) continue;
        series.samples.set_drain(batch.before, drain_of(series.measured.set, *drained));
    }
}

}  // namespace nsb::run
