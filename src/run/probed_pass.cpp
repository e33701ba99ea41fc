#include "run/probed_pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include "core/statistics.h"
#include "run/interrupt.h"
#include "run/runner.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

/// Unprobed and probed visits alternate, so that the machine's drift falls on both. Counted instructions do
/// not drift.
constexpr std::size_t kTurnsOfWallTime = 3;
/// Allocations repeat: a few executions say it all.
constexpr std::uint64_t kMostMemorySamples = 50;
constexpr std::uint64_t kMostTracedSamples = 1000;
/// Executions in a row, before their teardown is waited for.
constexpr std::uint64_t kBlock = kMaxBacklog - kLeadIn;
/// What RCU frees comes a little later than the workers end.
constexpr auto kFreeing = 50ms;

}  // namespace

ProbedPass::ProbedPass(Team& team, const RunInfo& info, probe::Probe& probe, std::vector<Case> cases,
                       bool wants_stacks)
    : team_(team), info_(info), probe_(probe), wants_stacks_(wants_stacks || !probe.traces_calls()) {
    for (Case& c : cases) works_.push_back({std::move(c), {}, {}, {}, {}, {}, {}});
    auto watch = env::TeardownWatch::open();
    if (watch) teardown_ = std::move(*watch);
}

void ProbedPass::drain(const Case& c, std::uint64_t samples) {
    const env::Left left = left_behind(c, static_cast<std::uint32_t>(samples), info_.in_userns);
    if (std::ranges::all_of(left, [](std::uint32_t n) { return n == 0; })) return;
    if (teardown_) {
        (void)teardown_->wait(left, 1s);
        teardown_->begin();
    } else {
        std::this_thread::sleep_for(kFreeing);
    }
}

ProbedPass::Taken ProbedPass::take(Work& work, std::uint64_t samples, std::chrono::nanoseconds limit) {
    Taken taken;
    const Phase phase = work.c.phases().front();
    const Clock::time_point begun = Clock::now();
    if (teardown_) teardown_->begin();
    while (taken.samples < samples && interrupted_by() == 0 && work.error.empty()) {
        const auto wanted = static_cast<std::uint32_t>(std::min(kBlock, samples - taken.samples));
        const std::vector<Block> blocks =
            team_.take(work.c, wanted, std::clamp<std::chrono::nanoseconds>(limit, 1ms, 1s));
        std::uint64_t made = 0;
        for (const Block& block : blocks) {
            for (const protocol::Record& record : block) {
                if (record.failure.error != 0) {
                    work.error = explain(record.failure);
                    continue;
                }
                ++made;
                taken.times.push_back(static_cast<double>(record.times[static_cast<std::size_t>(phase)]));
            }
        }
        taken.samples += made;
        drain(work.c, made);
        if (Clock::now() - begun > limit) break;
    }
    return taken;
}

void ProbedPass::look(Work& work, probe::Seen Work::*into, std::uint64_t samples) {
    (void)take(work, kLeadIn, 1s);
    probe_.begin(team_.pids());
    const Taken taken = take(work, samples, share_);
    if (into == &Work::memory) {
        // A net namespace is freed when the next one's teardown comes round: namespaces that are not followed
        // push out those that are.
        probe_.follow_no_more();
        for (int flush = 0; flush < 2; ++flush) {
            (void)take(work, kLeadIn, 1s);
            std::this_thread::sleep_for(kFreeing);
        }
    }
    probe::Seen& seen = work.*into;
    seen.snapshot += probe_.read();
    seen.samples += taken.samples;
    if (into != &Work::memory) work.probed.insert(work.probed.end(), taken.times.begin(), taken.times.end());
}

void ProbedPass::each_case(const std::function<void(Work&)>& visit) {
    for (Work& work : works_) {
        if (interrupted_by() != 0) return;
        if (work.error.empty()) visit(work);
        if (observer_) observer_(static_cast<double>(++steps_done_) / static_cast<double>(steps_));
    }
}

void ProbedPass::calibrate_call() {
    probe_.begin(team_.pids());
    const double probed = team_.measure_overhead().syscall;
    double events = 0;
    for (const probe::EdgeEntry& edge : probe_.read().edges) events += static_cast<double>(edge.sums.calls);
    events /= Team::kCalibrations;
    if (events > 0) call_cost_ = std::max(0.0, (probed - unprobed_call_) / events);
}

ProbeReport ProbedPass::run(std::optional<std::chrono::nanoseconds> budget, const Observer& observer) {
    const Clock::time_point begun = Clock::now();
    observer_ = observer;
    const bool calls = probe_.traces_calls();
    // Without functions to attach to, the probed turns are those that sample stacks.
    const auto pass = calls ? probe::Pass::functions : probe::Pass::stacks;
    const auto into = calls ? &Work::functions : &Work::stacks;
    const std::size_t turns = info_.options.clock == "wall" ? kTurnsOfWallTime : 1;
    const std::size_t passes = 2 * turns + 1 + (calls && wants_stacks_ ? 1 : 0);
    steps_ = passes * works_.size();
    // Unprobed visits are short.
    if (budget) share_ = *budget / std::max<std::size_t>((passes - turns) * works_.size(), 1);
    const std::uint64_t samples = info_.options.samples
                                      ? std::max<std::uint64_t>(1, *info_.options.samples / turns)
                                      : kMostTracedSamples;

    ProbeReport report;
    const auto attach = [&](probe::Pass wanted) {
        const auto attached = probe_.attach(wanted);
        if (!attached) report.notes.push_back(attached.error());
        return attached.has_value();
    };
    unprobed_call_ = team_.measure_overhead().syscall;
    for (std::size_t turn = 0; turn < turns && interrupted_by() == 0; ++turn) {
        each_case([&](Work& work) {
            (void)take(work, kLeadIn, 1s);
            const std::vector<double> times =
                take(work, std::min<std::uint64_t>(samples, kBlock), share_ / 4).times;
            work.unprobed.insert(work.unprobed.end(), times.begin(), times.end());
        });
        if (!attach(pass)) break;
        if (calls && turn == 0) calibrate_call();
        each_case(
            [&](Work& work) { look(work, into, calls || info_.options.samples ? samples : UINT64_MAX); });
        probe_.detach();
    }
    if (calls && wants_stacks_ && attach(probe::Pass::stacks)) {
        each_case([&](Work& work) { look(work, &Work::stacks, info_.options.samples.value_or(UINT32_MAX)); });
        probe_.detach();
    }
    if (attach(probe::Pass::memory)) {
        each_case([&](Work& work) { look(work, &Work::memory, std::min(samples, kMostMemorySamples)); });
        probe_.detach();
    }

    for (const auto& service : probe_.services()) report.backends.push_back(service.backend);
    report.cost = call_cost_;
    if (wants_stacks_) report.sampling_period = static_cast<double>(probe::kSamplingPeriodNs);
    for (const Work& work : works_) report.cases.push_back(attribute(work));
    report.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    return report;
}

ProbedCase ProbedPass::attribute(const Work& work) const {
    ProbedCase probed;
    probed.measured = work.c;
    probed.error = work.error;
    const auto services = probe_.services();
    const bool calls = probe_.traces_calls();
    const probe::Seen& seen = calls ? work.functions : work.stacks;
    if (seen.samples > 0) probe::attribute_functions(probed, seen, {services, calls, call_cost_});
    if (work.stacks.samples > 0) probed.folded = probe::fold(work.stacks);
    if (work.memory.samples > 0) {
        probed.memory_samples = work.memory.samples;
        const auto base_case = work.c.base();
        const auto base =
            std::ranges::find_if(works_, [&](const Work& w) { return base_case && w.c == *base_case; });
        const bool has_base = base != works_.end() && base->memory.samples > 0;
        probed.memory = probe::attribute_memory(work.memory, has_base ? &base->memory : nullptr);
    }
    if (!work.unprobed.empty()) probed.unprobed = median(work.unprobed);
    if (!work.probed.empty()) {
        probed.probed = median(work.probed);
        probed.probed_mean =
            std::reduce(work.probed.begin(), work.probed.end()) / static_cast<double>(work.probed.size());
    }
    return probed;
}

}  // namespace nsb::run
