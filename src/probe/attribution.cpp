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
    "nested too deep", "left out of order",      "no slot for a task",
    "no stack",        "no room in the profile", "no room for an allocation"};

/// Half of a 95% interval of a count.
double count_error(double count) {
    return 1.96 * std::sqrt(count);
}

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

/// A function's sums over all callers.
struct Sums {
    double calls = 0, total = 0, self = 0, wait = 0, max = 0, inside = 0;
    double callees = 0;  // calls of traced functions straight from it
};

std::vector<Sums> sum_up(const Snapshot& snapshot) {
    std::vector<Sums> sums(kTraced.size());
    for (const EdgeEntry& edge : snapshot.edges) {
        Sums& s = sums[edge.function];
        s.calls += static_cast<double>(edge.sums.calls);
        s.total += static_cast<double>(edge.sums.total);
        s.self += static_cast<double>(edge.sums.self);
        s.wait += static_cast<double>(edge.sums.wait);
        s.inside += static_cast<double>(edge.sums.inside);
        s.max = std::max(s.max, static_cast<double>(edge.sums.max));
        if (edge.parent != NSB_NO_PARENT) sums[edge.parent].callees += static_cast<double>(edge.sums.calls);
    }
    return sums;
}

FunctionTimes times_of_calls(const Sums& s, std::span<const std::uint64_t> buckets, double n, double cost) {
    const auto less = [](double value, double taken_off) { return std::max(0.0, value - taken_off); };
    const double in_call = cost * (s.inside / s.calls + 0.5);  // of the probe, inside one call
    FunctionTimes times;
    times.calls = s.calls / n;
    times.total = less(s.total, in_call * s.calls) / n;
    times.self = std::min(times.total, less(s.self, cost / 2 * (s.calls + s.callees)) / n);
    times.waiting = std::min(times.total, s.wait / n);
    times.p50 = less(percentile(buckets, 0.5), in_call);
    times.p90 = less(percentile(buckets, 0.9), in_call);
    times.p99 = less(percentile(buckets, 0.99), in_call);
    times.max = less(s.max, in_call);
    return times;
}

void add_edges(ProbedCase& probed, const Seen& seen, const Measure& measure) {
    const auto n = static_cast<double>(seen.samples);
    std::map<std::pair<std::size_t, std::size_t>, Sums> edges;
    std::map<std::size_t, double> callees, calls;
    for (const EdgeEntry& entry : seen.snapshot.edges) {
        Sums& s = edges[{entry.parent, entry.function}];
        s.calls += static_cast<double>(entry.sums.calls);
        s.total += static_cast<double>(entry.sums.total);
        s.self += static_cast<double>(entry.sums.self);
        s.wait += static_cast<double>(entry.sums.wait);
        s.inside += static_cast<double>(entry.sums.inside);
        calls[entry.function] += static_cast<double>(entry.sums.calls);
        if (entry.parent != NSB_NO_PARENT) callees[entry.parent] += static_cast<double>(entry.sums.calls);
    }
    for (const auto& [at, s] : edges) {
        const auto& [parent, function] = at;
        const double off_total = measure.call_cost * (s.inside + s.calls / 2);
        // Which of its callers a callee was called for is not known: they share it by their calls.
        const double own_callees = callees[function] * s.calls / calls[function];
        const double off_self = measure.call_cost / 2 * (s.calls + own_callees);
        probed.edges.push_back({parent == NSB_NO_PARENT ? std::nullopt : std::optional(parent), function,
                                s.calls / n, std::max(0.0, s.total - off_total) / n,
                                std::max(0.0, s.self - off_self) / n, s.wait / n});
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

/// Samples and waits of one function, from stacks.
struct FromStacks {
    double ticks = 0, own_ticks = 0, waits = 0, own_waits = 0;
};

std::vector<FromStacks> sum_up_stacks(const Snapshot& snapshot) {
    std::vector<FromStacks> sums(kTraced.size());
    for (const ProfileEntry& entry : snapshot.profile) {
        if (entry.what != NSB_SAMPLE && entry.what != NSB_WAIT) continue;
        const bool is_wait = entry.what == NSB_WAIT;
        const auto amount = static_cast<double>(is_wait ? entry.sum : entry.count);
        const std::vector<std::size_t> on_stack = traced_on(*entry.stack);
        for (const std::size_t i : std::set(on_stack.begin(), on_stack.end())) {
            (is_wait ? sums[i].waits : sums[i].ticks) += amount;
        }
        if (!on_stack.empty())
            (is_wait ? sums[on_stack.front()].own_waits : sums[on_stack.front()].own_ticks) += amount;
    }
    return sums;
}

FunctionTimes times_of_stacks(const FromStacks& s, double n) {
    constexpr auto kPeriod = static_cast<double>(kSamplingPeriodNs);
    FunctionTimes times;
    times.total = (s.ticks * kPeriod + s.waits) / n;
    times.self = (s.own_ticks * kPeriod + s.own_waits) / n;
    times.waiting = s.waits / n;
    times.error = count_error(s.ticks) * kPeriod / n;
    times.samples = s.ticks;
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
        wait.calls += static_cast<double>(entry.count) / static_cast<double>(seen.samples);
        wait.ticks += static_cast<double>(entry.sum) / static_cast<double>(seen.samples);
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

void attribute_functions(ProbedCase& probed, const Seen& seen, const Measure& measure) {
    const auto n = static_cast<double>(seen.samples);
    const std::vector<Sums> calls = sum_up(seen.snapshot);
    const std::vector<FromStacks> stacks = sum_up_stacks(seen.snapshot);
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        FunctionRow row{
            i, measure.services[i].backend, measure.services[i].reason, {}, measure.services[i].missed};
        if (calls[i].calls > 0) {
            row.times = times_of_calls(calls[i], seen.snapshot.buckets[i], n,
                                       measure.traces_calls ? measure.call_cost : 0);
        } else if (row.backend == Backend::sampling && stacks[i].ticks + stacks[i].waits > 0) {
            row.times = times_of_stacks(stacks[i], n);
        }
        probed.functions.push_back(std::move(row));
    }
    probed.samples = seen.samples;
    if (measure.traces_calls) {
        add_edges(probed, seen, measure);
        hold_accounts(probed);
    }
    for (const EdgeEntry& edge : seen.snapshot.edges)
        probed.events += static_cast<double>(edge.sums.calls) / n;
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
        folded[path] += ticks / static_cast<double>(seen.samples);
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
