// From what the probe counted to times and bytes per execution, by function and by kind. Pure values.
#pragma once

#include <span>
#include <vector>

#include "core/probed.h"
#include "probe/probe.h"

namespace nsb::probe {

/// What was seen of so many executions.
struct Observations {
    Snapshot snapshot;
    std::uint64_t samples = 0;
    std::uint64_t torn_down = 0;  ///< executions whose namespaces workers tore down: lead-ins too
    /// The executions that times are taken from; where there are none, times are from all.
    std::vector<CallEntry> typical;
    std::uint64_t typical_samples = 0;
};

/// Which are the middle fifth of these values. A tick of the timer, a refill of a slab or a grace period's
/// callbacks fall on some executions, a third of them at times, and would be a large part of what a namespace
/// adds. Executions are kept
/// or left out whole, so that callees' times still add up to their callers', as medians of functions would
/// not.
std::vector<std::size_t> middle_fifth(std::span<const double> values);

/// A case's first phase with and without the probe.
struct CostPoint {
    double extra = 0;  ///< ticks that the probe added
    double error = 0;  ///< of extra
    double time = 0;   ///< of the phase, unprobed
    double calls = 0;  ///< traced in that phase
};

/// What a traced call costs: the median over cases, weighted by what each knows, and over `loop`, what a loop
/// of unshare(0) says, which counts as much as the best of them: a single case may be disturbed in other
/// ways.
double fit_call_cost(std::span<const CostPoint> points, double loop);

/// What a traced call costs, where `extra` ticks in all were seen for the calls of a loop that does next to
/// nothing: the shortest one's time is what falls inside.
CallCost calibrate(const Snapshot& loop, double extra);

/// How a function's times are made.
struct Measure {
    std::span<const Probe::Service> services;  ///< by function
    bool traces_calls = true;
    CallCost cost;  ///< taken off
};

/// Fills functions, calls, waits and lost from traced calls, or, where there are none, from sampled stacks.
void attribute_functions(ProbedCase& probed, const Observations& seen, const Measure& measure);

/// Stacks with their time per execution in ticks: on the CPU, and waiting ("[waiting]" is their innermost
/// frame).
FoldedStacks fold(const Observations& seen);

/// Allocations per execution less those of `base` (none, or null), the largest first.
std::vector<MemoryRow> attribute_memory(const Observations& seen, const Observations* base);

/// Namespaces made and seen freed, by what allocates each kind's: where no function is traced.
std::vector<ObjectCount> objects_by_allocation(const Observations& memory);

/// What a stack waited for: "synchronize_rcu in namespace_unlock".
std::string name_wait(const std::vector<std::string>& stack);

/// The function that asked for memory: the innermost one that is no allocator.
std::string name_call_site(const std::vector<std::string>& stack);

/// The value below which a share of a histogram's calls lies, in ns: the middle of its bucket.
double percentile(std::span<const std::uint64_t> buckets, double share);

}  // namespace nsb::probe
