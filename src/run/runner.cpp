#include "run/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <thread>

#include "run/interrupt.h"
#include "run/limits.h"
#include "run/rounds.h"
#include "run/visits.h"
#include "sys/file.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;
using protocol::Record;

/// Rounds that a budget is laid out for. Rounds differ more than samples of one block do, so many short
/// blocks say more than few long ones: with 12 rounds the intervals were 1.2 to 1.8 times as wide.
constexpr double kRoundsInBudget = 25;
/// A round of few cases lasts about this long: long enough to be a sample of the machine's state.
constexpr double kShortRound = 0.25;
/// Counted samples of a block: fewer would leave most of it to the lead-in.
constexpr double kSmallestBlock = 2;
constexpr std::uint32_t kSmallBlock = 16;
/// Samples of a fixed number are spread over this many rounds.
constexpr std::uint32_t kRoundsOfFixed = 10;
/// Where teardown cannot be watched, it is given this long.
constexpr auto kBlindPause = 50ms;

Sample make_sample(const Record& record, std::uint32_t round, std::uint32_t block, bool counted) {
    Sample sample{round, block, counted, {}};
    std::copy(record.times.begin(), record.times.end(), sample.times.begin());
    return sample;
}

std::size_t most_at_once(const std::vector<Case>& plan) {
    std::uint64_t most = 1;
    for (const Case& c : plan) {
        if (c.has(Parameter::parallel)) most = std::max(most, c.value(Parameter::parallel));
    }
    return most;
}

}  // namespace

env::Left left_behind(const Case& c, std::uint32_t samples, bool in_userns) {
    KindSet made = c.set;
    if (c.has(Trait::held)) {
        // Only the block's holder makes namespaces.
        samples = 1;
        if (in_userns) made = made | Kind::user;
    }
    env::Left left{};
    for (const KindInfo& kind : kKinds) {
        if ((made & kWaitedFor).contains(kind.kind)) left[static_cast<std::size_t>(kind.kind)] = samples;
    }
    return left;
}

Crew Crew::assemble(const RunOptions& options, std::size_t size) {
    Team team(size, options.cpu, options.settle());
    const Team::Overhead overhead = team.measure_overhead();
    return {std::move(team), overhead, std::nullopt};
}

Runner::Runner(RunInfo& info, const std::vector<Case>& plan)
    : Runner(info, plan, Crew::assemble(info.options, most_at_once(plan))) {}

Runner::Runner(RunInfo& info, const std::vector<Case>& plan, Crew crew)
    : info_(info), team_(std::move(crew.team)) {
    team_.grow(most_at_once(plan));
    describe_team(crew.overhead);
    const auto any_has = [&](Trait trait) {
        return std::ranges::any_of(plan, [&](const Case& c) { return c.has(trait); });
    };
    if (any_has(Trait::new_root)) describe_root();
    if (any_has(Trait::on_stage)) describe_stage();
    for (const Case& c : plan) {
        const Case real = info_.in_userns ? c.through_userns() : c;
        if (find(real) == nullptr) series_.push_back({real, {}, {}});
    }
    planned_ = series_.size();
    for (std::size_t i = 0; i < planned_ && !info_.options.alone; ++i) {
        const auto base = series_[i].measured.base();
        if (base && find(*base) == nullptr) series_.push_back({*base, {}, {}});
    }
    bool any_teardown = false;
    for (const Series& s : series_) {
        cases_.push_back(s.measured);
        any_teardown = any_teardown || teardown_class(s.measured) != TeardownClass::none;
        const auto base = s.measured.base();
        const auto at = base ? std::find_if(series_.begin(), series_.end(),
                                            [&](const Series& other) { return other.measured == *base; })
                             : series_.end();
        base_.push_back(at == series_.end() ? std::nullopt
                                            : std::optional<std::size_t>(at - series_.begin()));
    }
    precise_.assign(series_.size(), false);
    medians_.resize(series_.size());

    if (any_teardown) watch_teardown(std::move(crew.teardown));
}

void Runner::watch_teardown(std::optional<tl::expected<env::TeardownWatch, sys::Refusal>> watch) {
    if (!watch) watch = env::TeardownWatch::open();
    if (*watch) {
        teardown_ = std::move(**watch);
        return;
    }
    const sys::Refusal& refusal = watch->error();
    info_.drain_unseen = Unseen{refusal.error, fmt::format("teardown cannot be watched: {}: {}", refusal.call,
                                                           errno_name(refusal.error))};
    info_.warnings.push_back(fmt::format(
        "{}; blocks that leave namespaces to the kernel's workers are followed by a pause of {} ms "
        "instead, and have no drain phase (root sees it)",
        info_.drain_unseen->reason, kBlindPause / 1ms));
}

void Runner::describe_team(const Team::Overhead& overhead) {
    info_.clock_read_ticks = overhead.clock_read;
    info_.loop_ticks = overhead.loop;
    info_.sampler_resident_bytes = overhead.footprint.resident_bytes;
    info_.sampler_mappings = overhead.footprint.mappings;
    info_.sampler_cpus = team_.cpus();
    info_.in_userns = team_.in_userns();
    if (info_.in_userns) {
        info_.warnings.emplace_back(
            "not root: measured through a user namespace; each set gains NEWUSER, and setns happens inside "
            "one");
    }
    const std::size_t distinct = std::set(info_.sampler_cpus.begin(), info_.sampler_cpus.end()).size();
    if (distinct < info_.sampler_cpus.size()) {
        info_.warnings.push_back(
            fmt::format("parallel:{} on {} CPUs: samplers that share a CPU wait for each other",
                        info_.sampler_cpus.size(), distinct));
    }
}

void Runner::describe_root() {
    if (team_.root_is_initramfs()) {
        info_.warnings.emplace_back(
            "the root is an initramfs, which pivot_root(2) cannot leave: in the phase pivot the new root is "
            "moved over it");
    }
}

void Runner::describe_stage() {
    if (info_.in_userns) {
        info_.warnings.emplace_back(
            "not root: runtimes are started inside a user namespace, so theirs are one level deeper than "
            "ours");
    } else if (std::filesystem::exists("/sys/fs/cgroup/unified/cgroup.controllers")) {
        info_.warnings.emplace_back(
            "cgroup version 2 at /sys/fs/cgroup/unified is hidden from the runtimes: crun refuses it beside "
            "version 1");
    }
}

void Runner::resume(const std::vector<Series>& measured, std::uint32_t rounds) {
    for (Series& own : series_) {
        const auto before = std::find_if(measured.begin(), measured.end(),
                                         [&](const Series& s) { return s.measured == own.measured; });
        if (before == measured.end()) continue;
        own = *before;
        // Whatever befell the sampler is no property of the case, and a runtime may have been installed
        // since: it is tried again.
        if (own.failure &&
            (own.failure->call == protocol::Call::sampler || own.failure->call == protocol::Call::runtime)) {
            own.failure.reset();
        }
        if (!own.samples.empty()) blocks_ = std::max(blocks_, own.samples.back().block);
    }
    // Samples may have come from a round that run.json does not know of, where a run was killed while it
    // wrote.
    for (const Series& own : series_) {
        for (const Sample& sample : own.samples) rounds = std::max(rounds, sample.round);
    }
    for (std::size_t i = 0; i < series_.size(); ++i) medians_[i].extend(series_[i]);
    first_round_ = rounds + 1;
    info_.rounds = rounds;
}

std::chrono::nanoseconds Runner::time_left() const {
    if (!info_.options.budget || begun_ == Clock::time_point{}) return 1h;
    const auto own = std::chrono::duration_cast<std::chrono::nanoseconds>(*info_.options.budget * share_);
    return own - (Clock::now() - begun_);
}

std::optional<double> Runner::seconds_left() const {
    if (info_.options.budget) return std::chrono::duration<double>(time_left()).count();
    if (!info_.options.samples || progress_.round == 0) return std::nullopt;
    // Rounds of a fixed number of samples are alike.
    const double rounds = std::ceil(static_cast<double>(*info_.options.samples) / info_.samples_per_block);
    const double done =
        progress_.round - 1 +
        static_cast<double>(progress_.blocks_done) / static_cast<double>(progress_.blocks_in_round);
    return progress_.elapsed_s * std::max(0.0, rounds / done - 1);
}

bool Runner::is_over() const {
    // What could not be read again is not written.
    const bool is_full = std::max({info_.rounds, blocks_, info_.drains}) >= kRounds.high;
    return is_full || interrupted_by() != 0 || time_left() <= 0ns;
}

const Series* Runner::find(const Case& c) const {
    const auto at =
        std::find_if(series_.begin(), series_.end(), [&](const Series& s) { return s.measured == c; });
    return at == series_.end() ? nullptr : &*at;
}

std::uint32_t Runner::samples_wanted(std::size_t i) const {
    if (series_[i].failure) return 0;
    if (info_.options.samples) {
        const auto at_once = std::max(1U, static_cast<std::uint32_t>(cases_[i].value(Parameter::parallel)));
        const std::uint32_t have = medians_[i].counted() / at_once;
        return std::min(info_.samples_per_block,
                        *info_.options.samples - std::min(*info_.options.samples, have));
    }
    const bool done =
        medians_[i].rounds() >= kMinRounds && is_precise(series_[i], medians_[i], info_.options.precision);
    return done ? 0 : info_.samples_per_block;
}

std::vector<Visit> Runner::visits_of_round(std::uint32_t round) {
    const bool is_warm_up = round == 0;
    std::vector<Standing> standings;
    for (std::size_t i = 0; i < series_.size(); ++i) {
        const bool is_failed = series_[i].failure.has_value();
        std::uint32_t wanted = 0;
        if (i < planned_) {
            const bool is_new = series_[i].samples.empty() && !is_failed;
            wanted = is_warm_up ? (is_new ? 1 : 0) : samples_wanted(i);
            precise_[i] = !is_warm_up && wanted == 0 && !is_failed;
        }
        standings.push_back({wanted, is_failed, base_[i]});
    }
    return make_visits(cases_, standings,
                       {info_.options.lead_in, is_warm_up, info_.options.samples.has_value()});
}

std::uint32_t Runner::choose_block_size() const {
    if (info_.options.block) return *info_.options.block;
    if (info_.options.samples) return std::max(1U, *info_.options.samples / kRoundsOfFixed);
    const double budget = info_.options.budget ? std::chrono::duration<double>(time_left()).count() : 60;
    const double one_of_each = std::max(info_.warm_up_seconds, 1e-6) / (1 + info_.options.lead_in);
    const double in_budget = budget / kRoundsInBudget / one_of_each - info_.options.lead_in;
    const double in_short_round = std::max<double>(kSmallBlock, kShortRound / one_of_each);
    return static_cast<std::uint32_t>(
        std::clamp(std::min(in_budget, in_short_round), kSmallestBlock, static_cast<double>(kBlock.high)));
}

void Runner::measure(const Observer& observer) {
    begun_ = Clock::now();
    observe_ = observer.progress;
    // A resumed run warms up only what it had not reached.
    if (const std::vector<Visit> warm_up = visits_of_round(0); !warm_up.empty()) run(0, warm_up);
    info_.warm_up_seconds += std::chrono::duration<double>(Clock::now() - begun_).count();
    info_.samples_per_block = choose_block_size();
    if (observer.round_done) observer.round_done();
    for (std::uint32_t round = first_round_; !is_over(); ++round) {
        const std::vector<Visit> visits = visits_of_round(round);
        if (visits.empty()) break;
        info_.rounds = round;
        run(round, visits);
        if (observer.round_done) observer.round_done();
    }
    info_.seconds += std::chrono::duration<double>(Clock::now() - begun_).count();
    info_.interrupted_by = interrupted_by();
}

void Runner::run(std::uint32_t round, const std::vector<Visit>& visits) {
    const std::vector<Group> groups = schedule(visits, cases_, info_.options.seed, round, kMaxBacklog);
    progress_.round = round;
    progress_.blocks_done = 0;
    progress_.blocks_in_round = visits.size();
    progress_.cases = planned_;
    progress_.cases_precise = static_cast<std::size_t>(
        std::count(precise_.begin(), precise_.begin() + static_cast<std::ptrdiff_t>(planned_), true));
    if (teardown_) teardown_->begin();
    run_round(
        groups, cases_,
        [&](const Visit& v) -> tl::expected<std::vector<double>, std::string> {
            if (is_over()) return tl::unexpected<std::string>("the run is over");
            auto times = visit(v, round);
            ++progress_.blocks_done;
            progress_.elapsed_s = std::chrono::duration<double>(Clock::now() - begun_).count();
            progress_.left_s = seconds_left();
            if (observe_) observe_(progress_);
            return times;
        },
        [&](const Group& group) { drain(group, round); });
    for (const Visit& visit : visits) medians_[visit.series].extend(series_[visit.series]);
    if (team_.runtimes()) info_.runtimes = team_.runtimes()->all();
}

tl::expected<std::vector<double>, std::string> Runner::visit(const Visit& visit, std::uint32_t round) {
    Series& series = series_[visit.series];
    if (series.failure) return tl::unexpected<std::string>("failed before");
    // A block that a signal or the budget has to wait for is a short one.
    const auto limit = std::clamp<std::chrono::nanoseconds>(time_left(), 1ms, 1s);
    const std::vector<Block> blocks = team_.take(series.measured, visit.lead_in + visit.samples, limit);
    ++blocks_;
    std::vector<double> times;
    const Phase phase = series.measured.phases().front();
    for (const Block& block : blocks) {
        const auto made =
            std::ranges::count_if(block, [](const Record& record) { return record.failure.error == 0; });
        const env::Left left =
            left_behind(series.measured, static_cast<std::uint32_t>(made), info_.in_userns);
        std::transform(left.begin(), left.end(), left_.begin(), left_.begin(), std::plus<>());
        for (std::size_t i = 0; i < block.size(); ++i) {
            if (block[i].failure.error != 0) {
                series.failure = block[i].failure;
                series.said = team_.said();
                // A runtime that has never done it cannot do it here; one that has, broke.
                if (series.failure->call == protocol::Call::runtime && series.failure->error == ECHILD &&
                    series.samples.empty()) {
                    series.failure->error = EOPNOTSUPP;
                }
                continue;
            }
            const bool led_in = i < visit.lead_in;
            series.samples.push_back(make_sample(block[i], round, blocks_, visit.counted && !led_in));
            if (!led_in) times.push_back(series.samples.back().time(phase));
        }
    }
    if (series.failure) return tl::unexpected(explain(*series.failure));
    // Google Benchmark counts one sampler's samples as iterations.
    times.resize(std::min<std::size_t>(times.size(), visit.samples));
    return times;
}

void Runner::drain(const Group& group, std::uint32_t round) {
    if (std::accumulate(left_.begin(), left_.end(), 0U) == 0) return;
    const env::Left left = std::exchange(left_, {});
    if (!teardown_) {
        std::this_thread::sleep_for(kBlindPause);
        return;
    }
    if (!teardown_->watches(left)) return;
    const env::Drained drained = teardown_->wait(left, drain_limit_);
    teardown_->begin();
    ++info_.drains;
    for (const Visit& visit : group) info_.drained_samples += visit.lead_in + visit.samples;
    if (!drained.complete && ++info_.drains_incomplete == 3) {
        // Something here keeps namespaces alive: wait less for what does not come.
        drain_limit_ = 100ms;
        info_.warnings.emplace_back("the teardown of some namespaces was not seen to end within 1 s");
    }
    for (const Visit& visit : group) {
        Series& series = series_[visit.series];
        if (!info(series.measured.operation).phases.contains(Phase::drain)) continue;
        double per_sample = 0;
        for (const KindInfo& kind : kKinds) {
            if (!(series.measured.set & kTornDownLater).contains(kind.kind)) continue;
            const auto& cost = drained.per_namespace[static_cast<std::size_t>(kind.kind)];
            if (!cost) {
                per_sample = 0;
                break;
            }
            per_sample += *cost;
        }
        for (auto sample = series.samples.rbegin(); sample != series.samples.rend() && sample->round == round;
             ++sample) {
            sample->times[static_cast<std::size_t>(Phase::drain)] = per_sample;
        }
    }
}

std::vector<Row> rows_of(std::span<const Series> series, std::size_t planned, const RowContext& context) {
    std::map<Case, const Series*> by_case;
    for (const Series& s : series) by_case[s.measured] = &s;
    std::vector<Row> rows;
    for (const Series& s : series.first(planned)) {
        const auto base_case = s.measured.base();
        const auto base = base_case ? by_case.find(*base_case) : by_case.end();
        std::vector<Row> own = make_rows(s, base == by_case.end() ? nullptr : base->second, context);
        std::move(own.begin(), own.end(), std::back_inserter(rows));
    }
    return rows;
}

std::vector<Row> Runner::rows() const {
    return rows_of(series_, planned_, info_.row_context());
}

}  // namespace nsb::run
