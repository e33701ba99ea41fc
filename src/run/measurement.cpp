#include "run/measurement.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/failure.h"
#include "run/needs.h"

namespace nsb::run {
namespace {

/// With the samplers that the plan takes.
SamplerPool grown(SamplerPool samplers, const std::vector<Case>& plan) {
    samplers.grow(most_at_once(plan));
    return samplers;
}

SamplerFacts facts_of(const SamplerPool& samplers, const SamplerPool::Overhead& overhead,
                      const Before& before) {
    return {samplers.in_userns(),
            before.base_set.value_or(base_set(samplers.in_userns())),
            overhead.footprint.resident_bytes,
            overhead.footprint.mappings,
            samplers.cpus(),
            overhead.clock_read,
            overhead.loop,
            kept_by(samplers.privilege())};
}

}  // namespace

std::vector<std::string> warnings_of(const SamplerPool& samplers, const std::vector<Case>& plan) {
    std::vector<std::string> warnings;
    const bool in_userns = samplers.in_userns();
    const auto any_has = [&](Trait trait) {
        return std::ranges::any_of(plan, [&](const Case& c) { return c.has(trait); });
    };
    if (in_userns) {
        warnings.emplace_back(
            "not root: measured through a user namespace, so each set but none includes NEWUSER, and what "
            "kinds add "
            "is "
            "what they add to it; setns happens inside one (sudo nsbench)");
    }
    if (const std::string more = kept_more(samplers.privilege(), samplers.keep()); !more.empty())
        warnings.push_back(more);
    const std::vector<int>& cpus = samplers.cpus();
    if (const std::size_t distinct = std::set(cpus.begin(), cpus.end()).size(); distinct < cpus.size()) {
        warnings.push_back(fmt::format(
            "parallel:{} on {} CPUs: samplers that share a CPU wait for each other", cpus.size(), distinct));
    }
    if (const auto error = samplers.not_kept_off()) {
        warnings.push_back(
            fmt::format("nsbench itself is not kept off CPU {}, where the sampler is, and may take its time: "
                        "sched_setaffinity: {}",
                        cpus.front(), errno_name(*error)));
    }
    if (any_has(Trait::new_root) && samplers.root_is_initramfs()) {
        warnings.emplace_back(
            "the root is an initramfs, which pivot_root(2) cannot leave: in the phase pivot the new root is "
            "moved over it");
    }
    if (!any_has(Trait::sandboxed)) return warnings;
    if (in_userns) {
        warnings.emplace_back(
            "not root: runtimes are started inside a user namespace, so theirs are one level deeper than "
            "ours");
    } else if (std::filesystem::exists("/sys/fs/cgroup/unified/cgroup.controllers")) {
        warnings.emplace_back(
            "cgroup version 2 at /sys/fs/cgroup/unified is hidden from the runtimes: crun refuses it beside "
            "version 1");
    }
    return warnings;
}

Instruments Instruments::prepare(const RunOptions& options, std::optional<std::vector<Case>> plan) {
    SamplerPool samplers(std::move(plan), options.cpu, options.idle_before_block());
    const SamplerPool::Overhead overhead = samplers.measure_overhead();
    return {std::move(samplers), overhead, std::nullopt};
}

Measurement::Measurement(RunStart start, const std::vector<Case>& plan, Instruments instruments,
                         Before before, double share)
    : start_(std::move(start)),
      samplers_(grown(std::move(instruments.samplers), plan)),
      facts_(facts_of(samplers_, instruments.overhead, before)),
      runner_(make_runner(plan, std::move(instruments.teardown), std::move(before), share)) {}

Runner Measurement::make_runner(const std::vector<Case>& plan, std::optional<OpenedTeardown> opened,
                                Before before, double share) {
    start_.warn(warnings_of(samplers_, plan));
    Cases cases = Cases::of(plan, facts_.in_userns, start_.options.alone, facts_.base_set);
    TeardownAccess teardown = access_teardown(cases, std::move(opened));
    start_.warn(teardown.warnings);
    if (teardown.unseen) before.totals.drain_unseen = teardown.unseen;
    RunOptions options = start_.options;
    if (options.budget) {
        options.budget = std::chrono::duration_cast<std::chrono::nanoseconds>(*options.budget * share);
    }
    std::unique_ptr<KernelMarkers> markers;
    // Under the instruction clock what else runs is in no figure, or is in it whenever it is.
    if (options.clock == TickClock::wall) {
        markers = std::make_unique<KernelMarkers>(samplers_);
        marker_sources_ = markers->sources();
    }
    return {std::move(options), std::move(cases),  samplers_, Draining(std::move(teardown.watch)),
            std::move(before),  std::move(markers)};
}

RunInfo Measurement::describe(std::optional<Probed> probed) const {
    RunInfo info{start_, facts_, runner_.totals(), samplers_.runtimes(), std::nullopt};
    info.warn(runner_.warnings());
    info.marker_sources = marker_sources_;
    label(info.marks);
    info.kept_whole = kept_whole(runner_.series(), info.row_context().left_out);
    if (probed) {
        info.interrupted_by = probed->interrupted_by;
        info.probe = std::move(probed->report);
    }
    return info;
}

}  // namespace nsb::run
