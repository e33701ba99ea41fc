// From what the probe counted to times and bytes per execution, by function and by kind. Pure values.
#pragma once

#include <span>

#include "core/probed.h"
#include "probe/probe.h"

namespace nsb::probe {

/// What was seen of so many executions.
struct Seen {
    Snapshot snapshot;
    std::uint64_t samples = 0;
};

/// How a function's times are made.
struct Measure {
    std::span<const Probe::Service> services;  ///< by function
    bool traces_calls = true;
    double call_cost = 0;  ///< of a traced call, in ticks: half of it falls inside its times, half outside
};

/// Fills functions, edges, waits and lost from traced calls, or, where there are none, from sampled stacks.
void attribute_functions(ProbedCase& probed, const Seen& seen, const Measure& measure);

/// Stacks with their time per execution in ticks: on the CPU, and waiting ("[waiting]" is their innermost
/// frame).
FoldedStacks fold(const Seen& seen);

/// Allocations per execution less those of `base` (none, or null), the largest first.
std::vector<MemoryRow> attribute_memory(const Seen& seen, const Seen* base);

/// What a stack waited for: "synchronize_rcu in namespace_unlock".
std::string name_wait(const std::vector<std::string>& stack);

/// The function that asked for memory: the innermost one that is no allocator.
std::string name_call_site(const std::vector<std::string>& stack);

/// The value below which a share of a histogram's calls lies, in ns: the middle of its bucket.
double percentile(std::span<const std::uint64_t> buckets, double share);

}  // namespace nsb::probe
