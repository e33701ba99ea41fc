// The columns of probe.csv and memory.csv.
#include "report/columns.h"

namespace nsb::report {
namespace {

using F = FunctionRecord;
using M = MemoryRecord;

std::string number(const std::optional<double>& value) {
    return value ? format_number(*value) : "";
}

template <typename Get>
std::string from_times(const F& r, Get get) {
    return r.row.times ? number(get(*r.row.times)) : "";
}

#define TIME(member)                                                                                    \
    [](const F& r) {                                                                                    \
        return from_times(r, [](const FunctionTimes& t) -> std::optional<double> { return t.member; }); \
    }

constexpr auto kFunctionColumns = std::to_array<Column<F>>({
    {"run_id", "", "as in results.csv", [](const F& r) { return r.run.run_id; }},
    {"kernel", "", "as in results.csv", [](const F& r) { return r.run.kernel; }},
    {"clock", "", "as in results.csv", [](const F& r) { return std::string(info(r.run.clock).name); }},
    {"case", "", "the case's id", [](const F& r) { return to_string(r.probed.measured); }},
    {"function", "", "the kernel function",
     [](const F& r) { return std::string(kTraced[r.row.function].name); }},
    {"kind", "", "the kind of namespace that it is for, or shared",
     [](const F& r) { return std::string(kind_name(kTraced[r.row.function].kind)); }},
    {"path", "", "create, destroy, or async: teardown by a worker",
     [](const F& r) { return std::string(to_string(kTraced[r.row.function].path)); }},
    {"backend", "",
     "how it was seen: fentry, kprobe, tracepoint, sampling (of stacks, 1 kHz), none, exact (the "
     "lab's profile)",
     [](const F& r) { return std::string(to_string(r.row.backend)); }},
    {"reason", "", "why no better backend served it", [](const F& r) { return r.row.reason; }},
    {"calls_per_op", "calls",
     "per execution of the case; empty where stacks were sampled. async: one call does a batch", TIME(calls)},
    {"total", kTicks,
     "per execution, with all that the function calls and waits for, the probe's cost taken off",
     TIME(total)},
    {"self", kTicks, "of total, without the traced functions that it calls", TIME(self)},
    {"p50", kTicks, "median of one call", TIME(p50)},
    {"p90", kTicks, "90th percentile of one call", TIME(p90)},
    {"p99", kTicks, "99th percentile of one call", TIME(p99)},
    {"max", kTicks, "the longest call", TIME(max)},
    {"missed", "calls", "that the kernel did not trace, in the whole run; empty where it does not count them",
     [](const F& r) { return r.row.missed ? std::to_string(*r.row.missed) : ""; }},
});
#undef TIME

constexpr auto kMemoryColumns = std::to_array<Column<M>>({
    {"run_id", "", "as in results.csv", [](const M& r) { return r.run.run_id; }},
    {"kernel", "", "as in results.csv", [](const M& r) { return r.run.kernel; }},
    {"case", "", "the case's id", [](const M& r) { return to_string(r.probed.measured); }},
    {"kind", "", "the kind of the innermost traced function on the stack, or shared",
     [](const M& r) { return std::string(kind_name(r.row.kind)); }},
    {"allocator", "", "kmalloc, slab or percpu (a copy for each possible CPU is not multiplied in)",
     [](const M& r) { return r.row.allocator; }},
    {"bytes_per_op", "bytes",
     "allocated per execution, less what the base does there (run.json: memory.base)",
     [](const M& r) { return format_number(r.row.bytes); }},
    {"calls_per_op", "calls", "allocations per execution, less those of the base",
     [](const M& r) { return format_number(r.row.calls); }},
    {"call_site", "", "the function that allocates", [](const M& r) { return r.row.call_site; }},
});

}  // namespace

std::span<const Column<FunctionRecord>> function_columns() {
    return kFunctionColumns;
}

std::span<const Column<MemoryRecord>> memory_columns() {
    return kMemoryColumns;
}

}  // namespace nsb::report
