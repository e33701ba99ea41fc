#include "probe/attribution.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/range/adaptor/reversed.hpp>
#include <cmath>
#include <map>
#include <numeric>
#include <tuple>

#include "probe/call_tree.h"

namespace nsb::probe {
namespace {

using CallStack = std::vector<std::string>;

constexpr std::array<std::string_view, NSB_LOST_REASONS> kLostNames{"nested too deep",
                                                                    "entry or exit missed",
                                                                    "no slot for a task",
                                                                    "no stack",
                                                                    "no room in the profile",
                                                                    "no room for an allocation",
                                                                    "no room for a path of calls",
                                                                    "no room for a namespace"};

bool starts_with_any(std::string_view name, std::span<const std::string_view> prefixes) {
    return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

/// Between a tracepoint and the probe.
constexpr std::array<std::string_view, 4> kTracing{"bpf_", "__bpf_", "__traceiter_", "trace_"};

/// Times of a function on all paths. Percentiles are of all executions, the others of the typical ones.
FunctionTimes times_of(std::size_t function, const ProbedCase& probed, const Observations& seen) {
    FunctionTimes times;
    for (const CallNode& node : probed.calls) {
        if (node.function != function) continue;
        if (node.calls) times.calls = times.calls.value_or(0) + *node.calls;
        times.total += node.total;
        times.self += node.self;
        times.waiting += node.waiting;
        times.samples += node.samples;
        // Samples are counts: their standard deviation is their root. Workers' are few, and divided
        // otherwise.
        const double once = weight(seen, node.stage == Stage::async) * static_cast<double>(kSamplingPeriodNs);
        times.error = std::hypot(times.error, 1.96 * once * std::sqrt(node.samples));
    }
    return times;
}

void add_percentiles(FunctionTimes& times, std::size_t function, std::span<const Node> nodes,
                     std::span<const std::uint64_t> buckets, const CallCost& cost) {
    double calls = 0;
    double inside = 0;
    double max = 0;
    for (const Node& node : nodes) {
        if (node.function != function) continue;
        calls += node.calls;
        inside += node.inside;
        max = std::max(max, node.max);
    }
    const double in_call = cost.inside + cost.whole() * inside / calls;  // of one call
    times.p50 = subtract(percentile(buckets, 0.5), in_call);
    times.p90 = subtract(percentile(buckets, 0.9), in_call);
    times.p99 = subtract(percentile(buckets, 0.99), in_call);
    times.max = subtract(max, in_call);
}

/// Attached programs change a little of what the kernel does, such as where it finds memory: a part of a
/// phase's time, by which the difference between probed and unprobed is uncertain however many its samples.
constexpr double kDisturbance = 0.01;

std::vector<Wait> find_waits(const Observations& seen) {
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

std::string name_wait(const CallStack& stack) {
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

std::string name_call_site(const CallStack& stack) {
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
    for (const CallEntry& entry : loop.calls) {
        const auto own = static_cast<double>(entry.sums.calls);
        calls += own;
        if (entry.sums.inside == 0) {
            const double mean = static_cast<double>(entry.sums.total) / own;
            shortest = std::min(shortest.value_or(mean), mean);
        }
    }
    if (calls == 0) return {};
    const double whole = std::max(0.0, extra / calls);
    const double inside = std::min(shortest.value_or(whole), whole);
    return {inside, whole - inside};
}

void attribute_functions(ProbedCase& probed, const Observations& seen, const Measure& measure) {
    const CallCost cost = measure.traces_calls ? measure.cost : CallCost{};
    const Operation operation = probed.measured.operation;
    const CallTree tree(seen);
    probed.calls = measure.traces_calls ? tree.calls(operation, cost) : sampled_calls(seen, tree, operation);
    probed.preempted = tree.preempted();
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        const Probe::Service& service = measure.services[i];
        FunctionRow row{i, service.backend, service.reason, {}, service.missed};
        if (std::ranges::find(probed.calls, i, &CallNode::function) != probed.calls.end()) {
            row.times = times_of(i, probed, seen);
            if (row.times->calls)
                add_percentiles(*row.times, i, tree.nodes(), seen.snapshot.buckets[i], cost);
            probed.events += row.times->calls.value_or(0);
        }
        probed.functions.push_back(std::move(row));
    }
    probed.samples = seen.samples;
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

FoldedStacks fold(const Observations& seen) {
    FoldedStacks folded;
    for (const ProfileEntry& entry : seen.snapshot.profile) {
        if (entry.what != NSB_SAMPLE && entry.what != NSB_WAIT) continue;
        std::string path;
        for (const std::string& name : boost::adaptors::reverse(*entry.stack)) {
            if (starts_with_any(name, kTracing)) break;
            path += fmt::format("{}{}", path.empty() ? "" : ";", name);
        }
        if (entry.what == NSB_WAIT) path += path.empty() ? "[waiting]" : ";[waiting]";
        if (path.empty()) path = "[user mode]";
        const auto ticks =
            static_cast<double>(entry.what == NSB_WAIT ? entry.sum : entry.count * kSamplingPeriodNs);
        folded[path] += ticks * weight(seen, entry.async);
    }
    return folded;
}

std::vector<MemoryRow> attribute_memory(const Observations& seen, const Observations* base) {
    static constexpr std::array<std::string_view, 3> kAllocators{"kmalloc", "slab", "percpu"};
    std::map<std::tuple<std::optional<Kind>, nsb_what, std::string>, MemoryRow> rows;
    const auto add = [&](const Observations& from, double sign) {
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

std::vector<ObjectCount> objects_by_allocation(const Observations& memory) {
    std::vector<ObjectCount> counts;
    for (const KindInfo& kind : kKinds) {
        const auto allocates = [&](const TracedFunction& f) {
            return f.kind == kind.kind && is_allocation(f.role);
        };
        const TracedFunction& maker = *std::ranges::find_if(kTraced, allocates);
        const nsb_what allocator = maker.role == Role::kmalloc ? NSB_KMALLOC : NSB_SLAB;
        ObjectCount count{kind.kind, 0, 0, 0};
        for (const ProfileEntry& entry : memory.snapshot.profile) {
            if (entry.what != allocator || name_call_site(*entry.stack) != maker.name) continue;
            (entry.freed ? count.gone : count.made) += entry.count;
        }
        if (count.made > 0) counts.push_back(count);
    }
    return counts;
}

}  // namespace nsb::probe
