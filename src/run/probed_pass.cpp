#include "run/probed_pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <thread>
#include <utility>

#include "core/failure.h"
#include "core/statistics.h"
#include "run/block_shape.h"
#include "run/interrupt.h"
#include "run/taken_block.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

/// Unprobed and probed rounds alternate, so that the machine's drift falls on both; attaching takes time.
/// Counted instructions do not drift.
constexpr std::size_t kTurnsOfWallTime = 3;
/// Unprobed rounds serve one figure, probed ones all others.
constexpr double kShareUnprobed = 0.25;
constexpr double kShareMemory = 0.25;
/// Executions in a row where their number is not fixed.
constexpr std::uint32_t kFullBatch = kMaxBacklog - kLongestLeadIn;
/// Allocations repeat: a few executions say it all.
constexpr std::uint32_t kMostMemorySamples = 50;
/// By then a block's teardown is over, also where the workers are behind; else the next blocks do not wait
/// for it.
constexpr auto kLongestTeardown = 2s;
/// What RCU frees comes a little later than the workers end.
constexpr auto kFreeing = 50ms;
/// Loops by which a traced call's cost is told: one into which the timer or an interrupt falls has a mean
/// that is too large, by 79 instructions a call for a tick and what follows it, so the least of them stands.
constexpr int kLoops = 5;

/// Forks before those that count: a block may begin with one for the process that keeps the namespaces, or
/// that clears up.
std::uint32_t forks_before(const Case& c, std::uint32_t lead_in) {
    return lead_in + (c.has(Trait::held) || c.has(Trait::watched) ? 1 : 0);
}

/// Why the probe, which follows the samplers' children and tells executions by them, does not follow a
/// case's; empty where it does.
std::string why_not_followed(const Case& c, bool in_userns) {
    if (c.has(Trait::sandboxed))
        return "the probe does not follow the processes of other programs, which make these namespaces";
    if (c.shares_mm())
        return "the probe does not follow samplers that share one mm: they come and go with each block";
    // These are a deputy's, and its keepers make namespaces beside them.
    if (c.has_condition())
        return "the probe does not follow blocks with conditions: a process of their own carries them out";
    if (c.has(Trait::no_child))
        return "the probe tells executions by the processes that they make: these make none";
    if (in_userns && (c.has(Trait::in_own_mnt) || c.has(Trait::in_own_net)))
        return "the probe does not follow blocks in a user namespace of their own (run as root)";
    return "";
}

/// Cases from whose differences the cost of a traced call is found.
constexpr std::size_t kEnoughToFit = 5;

/// Executions whose typical ones are told together.
constexpr std::size_t kToldTogether = 30;

struct Estimate {
    double value = 0, error = 0;
};

/// The mean of the middle fifth, and about its standard error: a normal distribution's are within 0.507
/// standard deviations.
Estimate midmean(std::span<const double> values) {
    std::vector<double> kept;
    for (const std::size_t i : probe::middle_fifth(values)) kept.push_back(values[i]);
    if (kept.empty()) return {};
    const auto [low, high] = std::ranges::minmax(kept);
    return {std::reduce(kept.begin(), kept.end()) / static_cast<double>(kept.size()),
            (high - low) / 0.507 * 1.25 / std::sqrt(static_cast<double>(values.size()))};
}

void leave_out_workers(probe::Snapshot& snapshot) {
    snapshot.async.clear();
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        if (kTraced[i].path == Path::async) snapshot.buckets[i].clear();
    }
    std::erase_if(snapshot.profile, [](const probe::ProfileEntry& entry) { return entry.async; });
}

}  // namespace

ProbedPass::ProbedPass(SamplerPool& samplers, RunOptions options, probe::Probe& probe,
                       const std::vector<Case>& cases, KindSet base_set, bool wants_stacks, Draining draining)
    : samplers_(samplers),
      options_(std::move(options)),
      probe_(probe),
      base_set_(base_set),
      wants_stacks_(wants_stacks || !probe.traces_calls()),
      draining_(std::move(draining)) {
    for (const Case& c : cases) {
        works_.push_back({c, {}, {}, {}, {}, {}, {}, {}, 0, why_not_followed(c, samplers_.in_userns())});
    }
}

ProbedPass::Block ProbedPass::take(Work& work, std::uint32_t samples) {
    draining_.begin();
    const TakenBlock taken = take_block(samplers_, work.c, lead_in(work), samples, limit_);
    if (taken.failure) work.error = explain(*taken.failure);
    draining_.add(taken);
    const auto drained = draining_.wait(kLongestTeardown);
    const bool was_behind = is_behind_;
    // A block that leaves nothing says nothing of what came before.
    if (drained) is_behind_ = !drained->complete;
    return {taken.counted(work.c.phases().front()), !was_behind && (!drained || drained->complete)};
}

bool ProbedPass::is_base(const Work& work) const {
    return std::ranges::any_of(works_, [&](const Work& other) { return other.c.base(base_set_) == work.c; });
}

void ProbedPass::carry_out(const Part& part, const std::function<void(Work&)>& take_one) {
    std::vector<std::size_t> order(works_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const Clock::time_point begun = Clock::now();
    const bool timed = budget_.has_value();
    std::chrono::nanoseconds limit = std::chrono::hours(1);
    if (timed)
        limit = std::chrono::nanoseconds(
            std::llround(static_cast<double>(budget_->count()) * part.share / shares_));
    const auto followed = std::ranges::count_if(works_, is_followed);
    limit_ = std::clamp<std::chrono::nanoseconds>(limit / std::max<std::ptrdiff_t>(1, followed), 1ms, 1s);
    for (std::uint32_t round = 0; (timed && !part.once) || round < part.rounds; ++round) {
        std::seed_seq mixed{static_cast<std::uint32_t>(options_.seed), round_++};
        std::mt19937_64 random(mixed);
        std::ranges::shuffle(order, random);
        // Where the budget ends before all have had their turn, bases have had theirs.
        std::stable_partition(order.begin(), order.end(), [&](std::size_t i) { return is_base(works_[i]); });
        for (std::size_t i = 0; i < order.size(); ++i) {
            const Clock::duration spent = Clock::now() - begun;
            if (interrupted_by() != 0 || (timed && spent > limit)) break;
            if (is_followed(works_[order[i]])) take_one(works_[order[i]]);
            const auto done_of_rounds =
                (round + static_cast<double>(i + 1) / static_cast<double>(order.size())) / part.rounds;
            const double done =
                timed ? std::chrono::duration<double>(spent) / std::chrono::duration<double>(limit)
                      : done_of_rounds;
            if (observer_) observer_((shares_done_ + part.share * std::min(1.0, done)) / shares_);
        }
        if (interrupted_by() != 0 || (timed && Clock::now() - begun > limit)) break;
        if (std::ranges::none_of(works_, is_followed)) break;  // all have failed
    }
    shares_done_ += part.share;
}

void ProbedPass::in_batches(const Work& work, std::uint32_t block,
                            const std::function<void(std::uint32_t samples)>& take_samples) const {
    const std::uint32_t most = room_in_block(work.c, options_, block);
    // Where their number is not fixed, the next round has more.
    std::uint32_t left = options_.samples ? block : most;
    for (; left > 0 && work.error.empty() && interrupted_by() == 0; left -= std::min(left, most))
        take_samples(std::min(left, most));
}

void ProbedPass::take_unprobed(Work& work, std::uint32_t block) {
    const std::vector<double> times = take(work, block).times;
    work.unprobed.insert(work.unprobed.end(), times.begin(), times.end());
}

bool ProbedPass::begin(Work& work) {
    const auto begun = probe_.begin(samplers_.pids(), forks_before(work.c, lead_in(work)));
    if (!begun) work.error = begun.error().text();
    return begun.has_value();
}

void ProbedPass::take_probed(Work& work, std::uint32_t block, probe::Observations Work::*into) {
    if (!begin(work)) return;
    const auto [times, has_own_teardown] = take(work, block);
    probe::Snapshot snapshot = probe_.read();
    // What failed has no time, and calls that were traced nevertheless.
    if (times.empty() || !work.error.empty()) return;
    probe::Observations& seen = work.*into;
    seen.samples += times.size();
    if (work.c.has(Trait::held)) {
        // What is kept for a whole block is torn down once, for none of its executions.
        leave_out_workers(snapshot);
    } else if (!has_own_teardown) {
        leave_out_workers(snapshot);
        ++work.unseen_teardowns;
    } else {
        seen.torn_down += times.size() + std::uint64_t{lead_in(work)} * work.c.at_once();
    }
    seen.snapshot += snapshot;
    // Stacks that are sampled for --folded beside traced calls say nothing of what those cost.
    if (into == &Work::stacks && probe_.traces_calls()) return;
    work.probed.insert(work.probed.end(), times.begin(), times.end());
    // Several samplers' executions are not told apart.
    if (work.c.at_once() > 1 || snapshot.executions.size() != times.size()) return;
    work.pending.insert(work.pending.end(), times.begin(), times.end());
    std::ranges::move(snapshot.executions, std::back_inserter(work.pending_calls));
    if (work.pending.size() >= kToldTogether) tell_typical(work);
}

void ProbedPass::tell_typical(Work& work) {
    for (const std::size_t i : probe::middle_fifth(work.pending)) {
        probe::add(work.functions.typical, work.pending_calls[i]);
        ++work.functions.typical_samples;
    }
    work.pending.clear();
    work.pending_calls.clear();
}

void ProbedPass::take_memory(Work& work, std::uint32_t block) {
    if (!begin(work)) return;
    const std::size_t samples = take(work, block).times.size();
    if (!work.error.empty()) return;
    work.memory.samples += samples;
    // A net namespace is freed when the next one's teardown comes round: namespaces that are not followed
    // push out those that are.
    if (const auto let_go = probe_.follow_no_more(); !let_go) work.error = let_go.error().text();
    const int flushes = work.c.set.contains(Kind::net) ? 2 : 1;
    for (int flush = 0; flush < flushes; ++flush) {
        (void)take(work, 1);
        std::this_thread::sleep_for(kFreeing);
    }
    work.memory.snapshot += probe_.read();
}

bool ProbedPass::attach(probe::Pass pass) {
    const auto attached = probe_.attach(pass);
    if (!attached) report_.notes.push_back(attached.error().text());
    return attached.has_value();
}

void ProbedPass::calibrate_call() {
    for (int loop = 0; loop < kLoops; ++loop) {
        if (const auto begun = probe_.begin(samplers_.pids(), 0); !begun) {
            report_.notes.push_back(begun.error().text());
            return;
        }
        const double probed = samplers_.measure_overhead().syscall;
        const CallCost cost =
            probe::calibrate(probe_.read(), (probed - unprobed_call_) * SamplerPool::kCalibrations);
        if (loop == 0 || cost.inside < report_.cost_of_unshare.inside) report_.cost_of_unshare = cost;
    }
}

void ProbedPass::fit_cost() {
    std::vector<probe::CostPoint> points;
    for (const Work& work : works_) {
        if (work.unprobed.empty() || work.probed.empty() || !is_whole_call_timed(work.c.operation)) continue;
        ProbedCase counted;
        counted.measured = work.c;
        probe::attribute_functions(counted, work.functions, {probe_.services(), true, {}});
        const Estimate without = midmean(work.unprobed);
        const Estimate with = midmean(work.probed);
        points.push_back({with.value - without.value, std::hypot(with.error, without.error), without.value,
                          sum_of_call(counted).calls});
    }
    // How much of it falls inside is known from the loop alone.
    const CallCost& loop = report_.cost_of_unshare;
    // In a copy of the lab there are two cases, of which the probe's own memory may change one by more than
    // its calls cost. Counted instructions are about the same in the loop.
    if (options_.clock == TickClock::instructions && points.size() < kEnoughToFit) {
        report_.cost = loop;
        return;
    }
    const double whole = probe::fit_call_cost(points, loop.whole());
    const double inside = std::min(loop.inside, whole);
    report_.cost = {inside, whole - inside};
}

void ProbedPass::alternate(probe::Pass pass, probe::Observations Work::*into) {
    const std::size_t turns = options_.clock == TickClock::wall ? kTurnsOfWallTime : 1;
    Part part{1.0 / static_cast<double>(turns), 1, kFullBatch};
    if (options_.samples) {
        const auto most = static_cast<std::uint32_t>(turns);
        part.block = std::min(options_.block.value_or(share_of_fixed(*options_.samples)), kFullBatch);
        part.rounds = (*options_.samples + part.block * most - 1) / (part.block * most);
    }
    Part unprobed = part;
    unprobed.share *= kShareUnprobed;
    for (std::size_t turn = 0; turn < turns && interrupted_by() == 0; ++turn) {
        carry_out(unprobed, [&](Work& work) {
            in_batches(work, part.block, [&](std::uint32_t samples) { take_unprobed(work, samples); });
        });
        if (!attach(pass)) return;
        if (turn == 0 && pass == probe::Pass::functions) calibrate_call();
        carry_out(part, [&](Work& work) {
            in_batches(work, part.block, [&](std::uint32_t samples) { take_probed(work, samples, into); });
        });
        probe_.detach();
    }
}

void ProbedPass::note_missed() {
    for (const Work& work : works_) {
        if (work.unseen_teardowns == 0) continue;
        report_.notes.push_back(
            fmt::format("{}: async leaves out {} of its blocks, since their teardown, or that of the block "
                        "before, was not seen to end within {} s",
                        to_string(work.c), work.unseen_teardowns, kLongestTeardown / 1s));
    }
    const probe::Probe::Missed missed = probe_.missed_in_all();
    const auto note = [&](std::uint64_t events, const char* what) {
        if (events > 0) report_.notes.push_back(std::to_string(events) + what);
    };
    note(missed.calls, " calls of traced functions were missed by the kernel");
    note(missed.switches, " switches of tasks were missed by the kernel: waits may be too long or too short");
    note(missed.forks, " forks were missed by the kernel: what these children did is not seen");
    note(missed.ticks, " samples of stacks were missed by the kernel");
    note(missed.allocations, " allocations or frees were missed by the kernel");
}

void ProbedPass::take_passes(bool calls, bool both) {
    unprobed_call_ = samplers_.measure_overhead().syscall;
    // Without functions to attach to, the probed rounds are those that sample stacks.
    alternate(calls ? probe::Pass::functions : probe::Pass::stacks, calls ? &Work::functions : &Work::stacks);
    if (calls) fit_cost();
    if (both && interrupted_by() == 0 && attach(probe::Pass::stacks)) {
        const std::uint32_t wanted = options_.samples.value_or(kFullBatch);
        const std::uint32_t block = std::min(kFullBatch, wanted);
        carry_out({1, (wanted + block - 1) / block, block}, [&](Work& work) {
            in_batches(work, block,
                       [&](std::uint32_t samples) { take_probed(work, samples, &Work::stacks); });
        });
        probe_.detach();
    }
    if (interrupted_by() == 0 && attach(probe::Pass::memory)) {
        const std::uint32_t block =
            std::min(options_.samples.value_or(kMostMemorySamples), kMostMemorySamples);
        carry_out({kShareMemory, 1, block, true},
                  [&](Work& work) { take_memory(work, room_in_block(work.c, options_, block)); });
        probe_.detach();
    }
}

ProbeReport ProbedPass::run(std::optional<std::chrono::nanoseconds> budget, const OnProgress& observer) {
    const Clock::time_point begun = Clock::now();
    observer_ = observer;
    budget_ = budget;
    report_ = {};
    const bool calls = probe_.traces_calls();
    const bool both = calls && wants_stacks_;
    shares_ = 1 + kShareUnprobed + (both ? 1 : 0) + kShareMemory;
    if (std::ranges::any_of(works_, is_followed)) take_passes(calls, both);

    note_missed();
    for (const auto& service : probe_.services()) report_.backends.push_back(service.backend);
    if (wants_stacks_) report_.sampling_period = static_cast<double>(probe::kSamplingPeriodNs);
    for (Work& work : works_) report_.cases.push_back(attribute(work));
    for (ProbedCase& probed : report_.cases) {
        const auto base_case = probed.measured.base(base_set_);
        const auto base = std::ranges::find_if(report_.cases, [&](const ProbedCase& other) {
            return base_case && other.measured == *base_case && other.samples > 0;
        });
        if (base == report_.cases.end() || probed.samples == 0) continue;
        probed.base = base->measured;
        probed.adds = added(probed, *base);
    }
    report_.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    return std::move(report_);
}

ProbedCase ProbedPass::attribute(Work& work) const {
    ProbedCase probed;
    probed.measured = work.c;
    probed.error = work.error;
    const auto services = probe_.services();
    const bool calls = probe_.traces_calls();
    tell_typical(work);
    const probe::Observations& seen = calls ? work.functions : work.stacks;
    if (seen.samples == 0 && probed.error.empty())
        probed.error = "not reached; a larger --budget or a narrower --filter reaches it";
    if (seen.samples > 0) probe::attribute_functions(probed, seen, {services, calls, report_.cost});
    if (work.stacks.samples > 0) probed.folded = probe::fold(work.stacks);
    if (work.memory.samples > 0) {
        probed.memory_samples = work.memory.samples;
        const auto base_case = work.c.base(base_set_);
        const auto base =
            std::ranges::find_if(works_, [&](const Work& w) { return base_case && w.c == *base_case; });
        const bool has_base = base != works_.end() && base->memory.samples > 0;
        if (has_base) probed.memory_base = base->c;
        probed.memory = probe::attribute_memory(work.memory, has_base ? &base->memory : nullptr);
        if (!calls) probed.objects = probe::objects_by_allocation(work.memory);
    }
    if (!work.unprobed.empty()) probed.unprobed = median(work.unprobed);
    if (!work.probed.empty()) {
        probed.probed = median(work.probed);
        const double own_cost = calls ? report_.cost.whole() * sum_of_call(probed).calls : 0;
        if (is_whole_call_timed(work.c.operation))
            probed.first_phase = std::max(0.0, midmean(work.probed).value - own_cost);
    }
    return probed;
}

}  // namespace nsb::run
