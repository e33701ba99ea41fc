#include "report/load_columns.h"

#include <fmt/format.h>

#include <array>

namespace nsb::report {
namespace {

using L = LoadRecord;
using B = BurstRecord;
using T = BatchRecord;

std::string seconds(double value) {
    return fmt::format("{:.3f}", value);
}

/// Of operations each second.
std::string rate(double value) {
    return fmt::format("{:.3f}", value);
}

/// A figure of times; empty where there are none.
std::string of(const Latencies& latencies, std::uint64_t Latencies::*part) {
    return latencies.count == 0 ? "" : std::to_string(latencies.*part);
}

std::string told(const std::optional<std::uint64_t>& value) {
    return value ? std::to_string(*value) : "";
}

constexpr auto kLoadColumns = std::to_array<Column<L>>({
    {"run_id", "", "as in results.csv", [](const L& r) { return r.run.run_id; }},
    {"kernel", "", "as in results.csv", [](const L& r) { return r.run.kernel; }},
    {"case", "",
     "churn/SET, with rate:N where arrivals come at a fixed rate, burst:N where N begin at once, workers:N "
     "where "
     "there is more than one, and background:SET.N",
     [](const L& r) { return r.id; }},
    {"part", "", "load, or drain: what comes after it",
     [](const L& r) { return std::string(r.row.is_drain ? "drain" : "load"); }},
    {"begin", "s", "when the interval began, since the load did",
     [](const L& r) { return seconds(r.row.begin_s); }},
    {"seconds", "s", "that it took", [](const L& r) { return seconds(r.row.seconds); }},
    {"operations", "number",
     "that ended in it: clones whose child was reaped; those that failed do not count",
     [](const L& r) { return std::to_string(r.row.done); }},
    {"rate", "1/s", "operations each second", [](const L& r) { return rate(r.row.rate()); }},
    {"failed", "number", "calls that failed; they have no time",
     [](const L& r) { return std::to_string(count_of(r.row.errors)); }},
    {"errors", "", "their errnos, each with how often it was met",
     [](const L& r) { return nsb::to_string(r.row.errors); }},
    {"p50", "ns",
     "of the time of an operation: half took at most so long. From the call until the child is reaped; with "
     "rate:N from when it should have begun, with burst:N from the burst's begin. At most 0.8% too large",
     [](const L& r) { return of(r.row.latency, &Latencies::p50); }},
    {"p90", "ns", "likewise nine of ten", [](const L& r) { return of(r.row.latency, &Latencies::p90); }},
    {"p99", "ns", "likewise 99 of 100", [](const L& r) { return of(r.row.latency, &Latencies::p99); }},
    {"max", "ns", "the longest; exact", [](const L& r) { return of(r.row.latency, &Latencies::max); }},
    {"create_p50", "ns", "of the call alone, until it returns in the caller: half took at most so long",
     [](const L& r) { return of(r.row.create, &Latencies::p50); }},
    {"create_p99", "ns", "likewise 99 of 100", [](const L& r) { return of(r.row.create, &Latencies::p99); }},
    {"create_max", "ns", "the longest; exact", [](const L& r) { return of(r.row.create, &Latencies::max); }},
    {"backlog", "number", "arrivals that were due and not done at the interval's end; only with rate:N",
     [](const L& r) { return told(r.row.backlog); }},
    {"background_operations", "number", "of the load in the background, that ended in the interval",
     [](const L& r) { return std::to_string(r.row.background_done); }},
    {"background_failed", "number", "calls of it that failed",
     [](const L& r) { return std::to_string(count_of(r.row.background_errors)); }},
    {"not_freed", "number",
     "namespaces in the kernel above those before the load, at the interval's end, by the slab caches that "
     "churn.json names: exact to some tens; empty where the kernel does not tell, and churn.json why",
     [](const L& r) { return told(r.row.not_freed); }},
    {"slab", "bytes", "Slab of /proc/meminfo at the interval's end, of the whole machine",
     [](const L& r) { return told(r.row.use.slab); }},
    {"percpu", "bytes", "likewise Percpu", [](const L& r) { return told(r.row.use.percpu); }},
    {"kernel_stack", "bytes", "likewise KernelStack",
     [](const L& r) { return told(r.row.use.kernel_stack); }},
    {"kernel_memory", "bytes", "the sum of these three", [](const L& r) { return told(r.row.use.memory()); }},
    {"teardown", "",
     "idle where the kernel's workers have torn down all namespaces that were left to them at the interval's "
     "end, "
     "else busy; empty where they are not seen",
     [](const L& r) -> std::string {
         if (!r.row.is_torn_down) return "";
         return *r.row.is_torn_down ? "idle" : "busy";
     }},
});

constexpr auto kBurstColumns = std::to_array<Column<B>>({
    {"run_id", "", "as in results.csv", [](const B& r) { return r.run.run_id; }},
    {"kernel", "", "as in results.csv", [](const B& r) { return r.run.kernel; }},
    {"case", "", "as in churn.csv", [](const B& r) { return r.id; }},
    {"burst", "number", "from 1 on", [](const B& r) { return std::to_string(r.number); }},
    {"begin", "s", "when it began, since the load did", [](const B& r) { return seconds(r.row.begin_s); }},
    {"operations", "number", "of it that did not fail",
     [](const B& r) { return std::to_string(r.row.latency.count); }},
    {"failed", "number", "calls that failed; they have no time",
     [](const B& r) { return std::to_string(count_of(r.row.errors)); }},
    {"errors", "", "their errnos, each with how often it was met",
     [](const B& r) { return nsb::to_string(r.row.errors); }},
    {"p50", "ns", "from the burst's begin half were done within so long; exact, as the next ones are",
     [](const B& r) { return of(r.row.latency, &Latencies::p50); }},
    {"p90", "ns", "likewise nine of ten", [](const B& r) { return of(r.row.latency, &Latencies::p90); }},
    {"p99", "ns", "likewise 99 of 100", [](const B& r) { return of(r.row.latency, &Latencies::p99); }},
    {"max", "ns", "all were", [](const B& r) { return of(r.row.latency, &Latencies::max); }},
    {"rate", "1/s", "operations each second until the last one was done",
     [](const B& r) { return r.row.latency.count == 0 ? "" : rate(r.row.rate); }},
});

constexpr auto kBatchColumns = std::to_array<Column<T>>({
    {"run_id", "", "as in results.csv", [](const T& r) { return r.run.run_id; }},
    {"kernel", "", "as in results.csv", [](const T& r) { return r.run.kernel; }},
    {"case", "", "as in churn.csv", [](const T& r) { return r.id; }},
    {"batch", "number",
     "from 1 on; those that began before the load, or had not ended with the drain, are left out",
     [](const T& r) { return std::to_string(r.number); }},
    {"begin", "s", "when cleanup_net began, since the load did",
     [](const T& r) { return fmt::format("{:.6f}", r.row.begin_s); }},
    {"duration", "ns", "until it returned, waits included",
     [](const T& r) { return std::to_string(r.row.duration); }},
    {"namespaces", "number",
     "net namespaces of the whole machine that it tore down; 0 of one that found none left; empty where they "
     "are not counted, and churn.json says why",
     [](const T& r) { return told(r.row.namespaces); }},
});

}  // namespace

std::span<const Column<LoadRecord>> load_columns() {
    return kLoadColumns;
}

std::span<const Column<BurstRecord>> burst_columns() {
    return kBurstColumns;
}

std::span<const Column<BatchRecord>> batch_columns() {
    return kBatchColumns;
}

}  // namespace nsb::report
