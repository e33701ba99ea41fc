// What the probe found out about one case.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/traced.h"

namespace nsb {

/// What tracing one call costs, in ticks.
struct CallCost {
    double inside = 0;   ///< falls into the function's own times
    double outside = 0;  ///< into its caller's
    [[nodiscard]] double whole() const { return inside + outside; }
};

/// Times of a traced function per execution of the case, in ticks.
struct FunctionTimes {
    std::optional<double> calls;               ///< unknown where the function was only sampled
    double total = 0;                          ///< with all that it calls, waits included
    double self = 0;                           ///< without the traced functions that it calls
    double waiting = 0;                        ///< of total: off the CPU
    std::optional<double> p50, p90, p99, max;  ///< of one call
    double error = 0;    ///< half of the 95% interval of total: from sampling; 0 where every call was timed
    double samples = 0;  ///< of stacks with the function on them
};

struct FunctionRow {
    std::size_t function = 0;  ///< into kTraced
    Backend backend = Backend::none;
    std::string reason;                  ///< for a backend that is not the best one
    std::optional<FunctionTimes> times;  ///< absent where it was not called, or not seen
    std::optional<std::uint64_t>
        missed;  ///< calls that the kernel did not trace; absent where it does not count them
};

/// What a call of a traced function is part of: `stage` in run.json.
enum class Stage : std::uint8_t {
    call,     ///< the system call that the case's first phase times
    prepare,  ///< others before it: the fork of a process to carry it out in
    destroy,  ///< the end of processes, and unmounting
    async     ///< teardown by workers, amortised over a batch
};
std::string_view to_string(Stage stage);

/// A function as called on one path of traced functions: a node of the call tree.
struct CallNode {
    std::optional<std::size_t>
        caller;  ///< into ProbedCase::calls, before its callees; none: no traced function
    std::size_t function = 0;
    Stage stage = Stage::call;
    std::optional<double> calls;  ///< per execution; unknown where stacks were sampled
    double total = 0;             ///< ticks per execution: self, and what its callees take
    double self = 0;
    double waiting = 0;  ///< of total: off the CPU
    double samples = 0;  ///< of stacks, where they were sampled
};

/// A wait inside a traced function, named by what was waited for.
struct Wait {
    std::string what;             ///< the kernel function that blocked, such as synchronize_rcu
    std::size_t function;         ///< the innermost traced function on the stack
    double calls = 0, ticks = 0;  ///< per execution
};

struct MemoryRow {
    std::optional<Kind> kind;  ///< by the innermost traced function of a kind on the stack; none: shared
    std::string allocator;     ///< kmalloc, slab, percpu
    std::string call_site;
    double bytes = 0, calls = 0;  ///< per execution, less those of the base
    double freed = 0;             ///< bytes of these that were seen freed again
};

/// A stack, outermost function first, and the time spent in it per execution.
using FoldedStacks = std::map<std::string, double>;

/// How many namespaces an execution's traced functions made and tore down.
struct ObjectCount {
    Kind kind;
    std::uint64_t made = 0, gone = 0, foreign = 0;
};

/// What a case adds to its base: a function's own time, on the way from the system call.
struct Added {
    std::size_t function = 0;
    double ticks = 0;
};

struct ProbedCase {
    Case measured;
    std::uint64_t samples = 0;  ///< with functions traced
    std::uint64_t memory_samples = 0;
    std::vector<FunctionRow> functions;  ///< one for each of kTraced
    std::vector<CallNode> calls;
    std::vector<Wait> waits;  ///< the longest first
    std::vector<MemoryRow> memory;
    std::optional<Case> memory_base{};  ///< whose memory was taken off
    std::vector<ObjectCount> objects;
    FoldedStacks folded;
    std::optional<Case> base{};  ///< that it was compared with
    std::vector<Added> adds;     ///< to its base, by function, the largest first; empty without one
    std::map<std::string, std::uint64_t> lost;  ///< events, by reason
    double unprobed = 0, probed = 0;            ///< medians of the case's first phase, interleaved
    double preempted = 0;    ///< ticks per execution that the sampler waited for its CPU on the way back
    double first_phase = 0;  ///< typical, the probe's cost taken off: what functions' times are shares of; 0:
                             ///< of nothing (is_whole_call_timed)
    double events = 0;       ///< traced calls per execution, whose cost was taken off
    std::string error;       ///< why there is nothing
};

/// What calls are part of that no traced function makes: those of `function` in executions of `operation`.
Stage stage_of(std::size_t function, Operation operation);

/// Whether the first phase takes as long as the calls of Stage::call: else no figure of theirs is a share of
/// it.
bool is_whole_call_timed(Operation operation);

/// By function, the largest first, of those that differ. Their sum is what the traced part of the system call
/// takes longer.
std::vector<Added> added(const ProbedCase& probed, const ProbedCase& base);

/// Of the system call that is timed, all its callees included: ticks and calls per execution, and samples.
struct CallSum {
    double ticks = 0, calls = 0, samples = 0;
};
CallSum sum_of_call(const ProbedCase& probed);

/// The probe's part of a run.
struct ProbeReport {
    std::string choice;                     ///< what was asked for
    std::vector<Backend> backends;          ///< of each of kTraced
    CallCost cost;                          ///< as fitted to probed and unprobed samples
    CallCost cost_of_unshare;               ///< as seen in a loop of unshare(0)
    std::optional<double> sampling_period;  ///< ticks
    std::vector<std::string> notes;         ///< downgrades with their reasons
    std::vector<ProbedCase> cases;
    double seconds = 0;
};

}  // namespace nsb
