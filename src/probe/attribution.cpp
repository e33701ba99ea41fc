#include "probe/attribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <unordered_map>

namespace nsb::probe {
namespace {

using Stack = std::vector<std::string>;

constexpr std::array<std::string_view, NSB_LOST_REASONS> kLostNames{
    "nested too deep",        "left out of order",         "no slot for a task", "no stack",
    "no room in the profile", "no room for an allocation", "no room for a call", "no room for a namespace"};

std::optional<std::size_t> find_traced(const std::string& name) {
    static const auto kNumbers = [] {
        std::unordered_map<std::string, std::size_t> numbers;
        for (std::size_t i = 0; i < kTraced.size(); ++i) numbers.emplace(kTraced[i].name, i);
        return numbers;
    }();
    const auto at = kNumbers.find(name);
    return at == kNumbers.end() ? std::nullopt : std::optional(at->second);
}

/// The traced functions of a stack, innermost first.
std::vector<std::size_t> traced_on(const Stack& stack) {
    std::vector<std::size_t> found;
    for (const std::string& name : stack) {
        if (const auto number = find_traced(name)) found.push_back(*number);
    }
    return found;
}

bool starts_with_any(std::string_view name, std::span<const std::string_view> prefixes) {
    return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

/// Between a tracepoint and the probe.
constexpr std::array<std::string_view, 4> kTracing{"bpf_", "__bpf_", "__traceiter_", "trace_"};

/// Sums of a function, or of a function as called from one other.
struct Sums {
    double calls = 0, total = 0, self = 0, wait = 0, max = 0, inside = 0;
    double callees = 0;  // calls of traced functions straight from it

    void add(const nsb_edge& edge, double weight) {
        calls += weight * static_cast<double>(edge.calls);
        total += weight * static_cast<double>(edge.total);
        self += weight * static_cast<double>(edge.self);
        wait += weight * static_cast<double>(edge.wait);
        inside += weight * static_cast<double>(edge.inside);
        max = std::max(max, static_cast<double>(edge.max));
    }
};

using Edges = std::map<std::pair<std::size_t, std::size_t>, Sums>;  // by caller and callee

Edges weighted(std::span<const EdgeEntry> entries, double weight, Edges edges = {}) {
    for (const EdgeEntry& entry : entries) edges[{entry.parent, entry.function}].add(entry.sums, weight);
    return edges;
}

/// What an entry counts once, per execution.
double weight(const Seen& seen, bool async) {
    return 1 / static_cast<double>(async ? seen.torn_down : seen.samples);
}

Edges all_edges(const Seen& seen) {
    return weighted(seen.snapshot.async, weight(seen, true),
                    weighted(seen.snapshot.edges, weight(seen, false)));
}

/// The times that are typical; the workers' are from all executions.
Edges typical_edges(const Seen& seen) {
    if (seen.typical_samples == 0) return all_edges(seen);
    return weighted(seen.snapshot.async, weight(seen, true),
                    weighted(seen.typical, 1 / static_cast<double>(seen.typical_samples)));
}

std::vector<Sums> sum_up(const Edges& edges) {
    std::vector<Sums> sums(NSB_MAX_FUNCTIONS);
    for (const auto& [at, edge] : edges) {
        Sums& s = sums[at.second];
        s.calls += edge.calls;
        s.total += edge.total;
        s.self += edge.self;
        s.wait += edge.wait;
        s.inside += edge.inside;
        s.max = std::max(s.max, edge.max);
        sums[at.first].callees += edge.calls;
    }
    return sums;
}

double less(double value, double taken_off) {
    return std::max(0.0, value - taken_off);
}

/// `all`: per execution, over all of them; `s`: over the typical ones.
FunctionTimes times_of_calls(const Sums& all, const Sums& s, std::span<const std::uint64_t> buckets,
                             const CallCost& cost) {
    const double in_call = cost.inside + cost.whole() * all.inside / all.calls;  // of one call
    FunctionTimes times;
    times.calls = all.calls;
    times.total = less(s.total, cost.inside * s.calls + cost.whole() * s.inside);
    times.self = std::min(times.total, less(s.self, cost.inside * s.calls + cost.outside * s.callees));
    times.waiting = std::min(times.total, s.wait);
    times.p50 = less(percentile(buckets, 0.5), in_call);
    times.p90 = less(percentile(buckets, 0.9), in_call);
    times.p99 = less(percentile(buckets, 0.99), in_call);
    times.max = less(all.max, in_call);
    return times;
}

void add_edges(ProbedCase& probed, const Edges& edges, const CallCost& cost) {
    const std::vector<Sums> sums = sum_up(edges);
    for (const auto& [at, s] : edges) {
        const auto& [parent, function] = at;
        if (function == NSB_PREEMPTION) {
            probed.preempted = s.total;
            continue;
        }
        // Which of its callers a callee was called for is not known: they share it by their calls.
        const double own_callees = s.calls > 0 ? sums[function].callees * s.calls / sums[function].calls : 0;
        probed.edges.push_back({parent == NSB_NO_PARENT ? std::nullopt : std::optional(parent), function,
                                s.calls, less(s.total, cost.inside * s.calls + cost.whole() * s.inside),
                                less(s.self, cost.inside * s.calls + cost.outside * own_callees), s.wait});
    }
}

/// What is taken off for the probe is a mean, and may be more than one function's share: a caller's total is
/// then lifted to what its callees took.
void hold_accounts(ProbedCase& probed) {
    std::vector<FunctionRow*> by_total;
    for (FunctionRow& row : probed.functions) {
        if (row.times) by_total.push_back(&row);
    }
    // Callees before callers.
    std::ranges::stable_sort(by_total, {}, [](const FunctionRow* row) { return row->times->total; });
    for (int pass = 0; pass < NSB_DEPTH; ++pass) {
        bool changed = false;
        for (FunctionRow* row : by_total) {
            double inner = 0, own = 0, calls = 0;
            for (const CallEdge& edge : probed.edges) {
                if (edge.parent == row->function) inner += edge.total;
                if (edge.function == row->function) own += edge.total, calls += edge.calls;
            }
            if (inner <= own) continue;
            changed = true;
            for (CallEdge& edge : probed.edges) {
                if (edge.function == row->function) edge.total += (inner - own) * edge.calls / calls;
            }
            row->times->total = std::max(row->times->total, inner);
        }
        if (!changed) break;
    }
}

/// Attached programs change a little of what the kernel does, such as where it finds memory: a part of a
/// phase's time, by which the difference between probed and unprobed is uncertain however many its samples.
constexpr double kDisturbance = 0.01;

/// A function's times per execution, from stacks.
struct FromStacks {
    double running = 0, own_running = 0, waiting = 0, own_waiting = 0;
    double variance = 0;  // of running: samples are counts
    double samples = 0;
};

std::vector<FromStacks> sum_up_stacks(const Seen& seen) {
    std::vector<FromStacks> sums(kTraced.size());
    for (const ProfileEntry& entry : seen.snapshot.profile) {
        if (entry.what != NSB_SAMPLE && entry.what != NSB_WAIT) continue;
        const bool is_wait = entry.what == NSB_WAIT;
        const double once =
            weight(seen, entry.async) * (is_wait ? 1 : static_cast<double>(kSamplingPeriodNs));
        const auto count = static_cast<double>(is_wait ? entry.sum : entry.count);
        const std::vector<std::size_t> on_stack = traced_on(*entry.stack);
        for (const std::size_t i : std::set(on_stack.begin(), on_stack.end())) {
            FromStacks& s = sums[i];
            const bool is_own = i == on_stack.front();
            (is_wait ? s.waiting : s.running) += once * count;
            if (is_own) (is_wait ? s.own_waiting : s.own_running) += once * count;
            if (is_wait) continue;
            s.variance += once * once * count;
            s.samples += count;
        }
    }
    return sums;
}

FunctionTimes times_of_stacks(const FromStacks& s) {
    FunctionTimes times;
    times.total = s.running + s.waiting;
    times.self = s.own_running + s.own_waiting;
    times.waiting = s.waiting;
    times.error = 1.96 * std::sqrt(s.variance);
    times.samples = s.samples;
    return times;
}

std::vector<Wait> find_waits(const Seen& seen) {
    std::map<std::pair<std::string, std::size_t>, Wait> waits;
    for (const ProfileEntry& entry : seen.snapshot.profile) {
        if (entry.what != NSB_WAIT) continue;
        const std::vector<std::size_t> on_stack = traced_on(*entry.stack);
        if (on_stack.empty()) continue;
        std::string what = name_wait(*entry.stack);
        Wait& wait = waits[{what, on_stack.front()}];
        wait.what = std::move(what);
        wait.function = on_stack.front();
        wait.calls += static_cast<double>(entry.count) * weight(seen, entry.async);
        wait.ticks += static_cast<double>(entry.sum) * weight(seen, entry.async);
    }
    std::vector<Wait> sorted;
    for (auto& [key, wait] : waits) sorted.push_back(std::move(wait));
    std::ranges::stable_sort(sorted, std::ranges::greater{}, &Wait::ticks);
    return sorted;
}

}  // namespace

double percentile(std::span<const std::uint64_t> buckets, double share) {
    const auto all = static_cast<double>(std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0}));
    double below = 0;
    for (std::size_t b = 0; b < buckets.size(); ++b) {
        below += static_cast<double>(buckets[b]);
        if (below < share * all || below == 0) continue;
        const std::size_t octave = b >> NSB_SUB_BITS;
        const auto step = static_cast<double>(b & ((1U << NSB_SUB_BITS) - 1));
        if (octave == 0) return step;
        const double width = std::ldexp(1.0, static_cast<int>(octave) - 1);
        return (step + (1U << NSB_SUB_BITS) + 0.5) * width - 0.5;
    }
    return 0;
}

std::string name_wait(const Stack& stack) {
    static constexpr std::array<std::string_view, 7> kScheduling{
        "__schedule", "schedule", "preempt_schedule", "__cond_resched", "io_schedule", "on_switch", "nsb_"};
    static constexpr std::array<std::string_view, 17> kPrimitives{
        "__mutex_lock",        "mutex_lock",        "rwsem_",        "down_",           "__down",
        "percpu_down",         "percpu_rwsem",      "__percpu_down", "rtnl_lock",       "rtnl_net_lock",
        "wait_for_completion", "__wait_for_common", "__wait_rcu_gp", "wait_rcu_exp_gp", "synchronize_",
        "rcu_barrier",         "exp_funnel_lock"};
    std::string primitive;
    for (const std::string& name : stack) {
        if (starts_with_any(name, kTracing)) continue;
        if (starts_with_any(name, kPrimitives)) {
            primitive = name;
        } else if (!starts_with_any(name, kScheduling)) {
            return primitive.empty() ? name : fmt::format("{} in {}", primitive, name);
        }
    }
    return primitive.empty() ? "unknown" : primitive;
}

std::string name_call_site(const Stack& stack) {
    static constexpr std::array<std::string_view, 18> kAllocators{
        "kmalloc",    "__kmalloc",          "kmem_cache_alloc", "kmemdup",      "kstrdup",     "kvmalloc",
        "__kvmalloc", "pcpu_alloc",         "__alloc_percpu",   "__do_kmalloc", "kmem_cache_", "slab_",
        "krealloc",   "__kmem_cache_alloc", "kzalloc",          "kvasprintf",   "kasprintf",   "kmemdup_nul"};
    for (const std::string& name : stack) {
        if (!starts_with_any(name, kTracing) && !starts_with_any(name, kAllocators)) return name;
    }
    return "unknown";
}

std::vector<std::size_t> middle_fifth(std::span<const double> values) {
    std::vector<std::size_t> order(values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return values[i]; });
    const auto outside = static_cast<std::ptrdiff_t>(order.size() * 2 / 5);
    return {order.begin() + outside, order.end() - outside};
}

double fit_call_cost(std::span<const CostPoint> points, double loop) {
    std::vector<std::pair<double, double>> ratios;  // with their weights
    double heaviest = 0;
    for (const CostPoint& point : points) {
        if (point.calls <= 0) continue;
        const double error = std::max(1.0, std::hypot(point.error, kDisturbance * point.time));
        ratios.emplace_back(point.extra / point.calls, point.calls / error);
        heaviest = std::max(heaviest, ratios.back().second);
    }
    ratios.emplace_back(loop, heaviest);
    std::ranges::sort(ratios);
    double rest = 0;
    for (const auto& [ratio, weight] : ratios) rest += weight / 2;
    for (const auto& [ratio, weight] : ratios) {
        rest -= weight;
        if (rest <= 0) return std::max(0.0, ratio);
    }
    return std::max(0.0, loop);
}

CallCost calibrate(const Snapshot& loop, double extra) {
    double calls = 0;
    std::optional<double> shortest;
    for (const EdgeEntry& edge : loop.edges) {
        const auto own = static_cast<double>(edge.sums.calls);
        calls += own;
        if (edge.sums.inside == 0) {
            const double mean = static_cast<double>(edge.sums.total) / own;
            shortest = std::min(shortest.value_or(mean), mean);
        }
    }
    if (calls == 0) return {};
    const double whole = std::max(0.0, extra / calls);
    const double inside = std::min(shortest.value_or(whole), whole);
    return {inside, whole - inside};
}

void attribute_functions(ProbedCase& probed, const Seen& seen, const Measure& measure) {
    const CallCost cost = measure.traces_calls ? measure.cost : CallCost{};
    const std::vector<Sums> all = sum_up(all_edges(seen));
    const Edges edges = typical_edges(seen);
    const std::vector<Sums> typical = sum_up(edges);
    const std::vector<FromStacks> stacks = sum_up_stacks(seen);
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        const Probe::Service& service = measure.services[i];
        FunctionRow row{i, service.backend, service.reason, {}, service.missed};
        if (all[i].calls > 0) {
            row.times = times_of_calls(all[i], typical[i], seen.snapshot.buckets[i], cost);
        } else if (row.backend == Backend::sampling && stacks[i].running + stacks[i].waiting > 0) {
            row.times = times_of_stacks(stacks[i]);
        }
        probed.functions.push_back(std::move(row));
        probed.events += all[i].calls;
    }
    probed.samples = seen.samples;
    if (measure.traces_calls) {
        add_edges(probed, edges, cost);
        hold_accounts(probed);
    }
    probed.waits = find_waits(seen);
    for (std::size_t i = 0; i < kLostNames.size(); ++i) {
        if (seen.snapshot.lost[i] > 0) probed.lost[std::string(kLostNames[i])] += seen.snapshot.lost[i];
    }
    for (const KindInfo& kind : kKinds) {
        ObjectCount count{kind.kind, 0, 0, 0};
        for (std::size_t i = 0; i < kTraced.size(); ++i) {
            if (kTraced[i].kind != kind.kind) continue;
            count.made += seen.snapshot.objects[i].made;
            count.gone += seen.snapshot.objects[i].gone;
            count.foreign += seen.snapshot.objects[i].foreign;
        }
        if (count.made + count.gone > 0) probed.objects.push_back(count);
    }
}

FoldedStacks fold(const Seen& seen) {
    FoldedStacks folded;
    for (const ProfileEntry& entry : seen.snapshot.profile) {
        if (entry.what != NSB_SAMPLE && entry.what != NSB_WAIT) continue;
        std::string path;
        for (auto name = entry.stack->rbegin(); name != entry.stack->rend(); ++name) {
            if (starts_with_any(*name, kTracing)) break;
            path += fmt::format("{}{}", path.empty() ? "" : ";", *name);
        }
        if (entry.what == NSB_WAIT) path += path.empty() ? "[waiting]" : ";[waiting]";
        if (path.empty()) path = "[user mode]";
        const auto ticks =
            static_cast<double>(entry.what == NSB_WAIT ? entry.sum : entry.count * kSamplingPeriodNs);
        folded[path] += ticks * weight(seen, entry.async);
    }
    return folded;
}

std::vector<MemoryRow> attribute_memory(const Seen& seen, const Seen* base) {
    static constexpr std::array<std::string_view, 3> kAllocators{"kmalloc", "slab", "percpu"};
    std::map<std::tuple<std::optional<Kind>, nsb_what, std::string>, MemoryRow> rows;
    const auto add = [&](const Seen& from, double sign) {
        const double weight = sign / static_cast<double>(from.samples);
        for (const ProfileEntry& entry : from.snapshot.profile) {
            if (entry.what < NSB_KMALLOC || entry.what > NSB_PERCPU) continue;
            std::optional<Kind> kind;
            for (const std::size_t i : traced_on(*entry.stack)) {
                if (!kind) kind = kTraced[i].kind;
            }
            std::string site = name_call_site(*entry.stack);
            MemoryRow& row = rows[{kind, entry.what, site}];
            row.kind = kind;
            row.allocator = kAllocators[entry.what - NSB_KMALLOC];
            row.call_site = std::move(site);
            const double bytes = weight * static_cast<double>(entry.sum);
            if (entry.freed) {
                row.freed += bytes;
            } else {
                row.bytes += bytes;
                row.calls += weight * static_cast<double>(entry.count);
            }
        }
    };
    add(seen, 1);
    if (base != nullptr) add(*base, -1);
    std::vector<MemoryRow> sorted;
    for (auto& [key, row] : rows) {
        // What both have alike leaves no row.
        if (std::abs(row.bytes) >= 0.5 || std::abs(row.calls) >= 0.005) sorted.push_back(std::move(row));
    }
    std::ranges::stable_sort(sorted, std::ranges::greater{}, &MemoryRow::bytes);
    return sorted;
}

}  // namespace nsb::probe
