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
    "no room in the profile", "no room for an allocation", "no room for a path of calls", "no room for a namespace"};

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

/// What an entry counts once, per execution.
double weight(const Seen& seen, bool async) {
    return 1 / static_cast<double>(async ? seen.torn_down : seen.samples);
}

double less(double value, double taken_off) {
    return std::max(0.0, value - taken_off);
}

/// A node of the call tree with its sums per execution: of all executions, and of the typical ones.
struct Node {
    std::optional<std::size_t> caller;  // into Tree::nodes
    std::uint32_t function = 0;
    bool async = false;
    double calls = 0, inside = 0, max = 0;
    double typical_calls = 0, self = 0, waiting = 0;
    double callees = 0;  // typical calls of traced functions straight from it
};

/// The nodes of a case's traced calls, callers before callees.
class Tree {
  public:
    explicit Tree(const Seen& seen) {
        const bool all_are_typical = seen.typical_samples == 0;
        add(seen.snapshot.calls, false, weight(seen, false), all_are_typical ? weight(seen, false) : 0);
        if (!all_are_typical) add(seen.typical, false, 0, 1 / static_cast<double>(seen.typical_samples));
        add(seen.snapshot.async, true, weight(seen, true), weight(seen, true));
        for (Node& node : nodes_) {
            if (node.caller) nodes_[*node.caller].callees += node.typical_calls;
        }
    }
    [[nodiscard]] std::span<const Node> nodes() const { return nodes_; }
    [[nodiscard]] double preempted() const { return preempted_; }

  private:
    void add(std::span<const CallEntry> entries, bool async, double weight_of_all, double weight_of_typical) {
        std::vector<CallEntry> sorted(entries.begin(), entries.end());
        std::ranges::stable_sort(sorted, {}, &CallEntry::node);
        for (const CallEntry& entry : sorted) {
            const auto total = static_cast<double>(entry.sums.total);
            if (entry.function == NSB_PREEMPTION) {
                preempted_ += weight_of_typical * total;
                continue;
            }
            Node& node = at(entry, async);
            const auto calls = static_cast<double>(entry.sums.calls);
            node.calls += weight_of_all * calls;
            node.inside += weight_of_all * static_cast<double>(entry.sums.inside);
            if (weight_of_all > 0) node.max = std::max(node.max, static_cast<double>(entry.sums.max));
            node.typical_calls += weight_of_typical * calls;
            node.self += weight_of_typical * static_cast<double>(entry.sums.self);
            node.waiting += weight_of_typical * static_cast<double>(entry.sums.wait);
        }
    }

    Node& at(const CallEntry& entry, bool async) {
        const auto [known, is_new] = numbers_.try_emplace({async, entry.node}, nodes_.size());
        if (is_new) {
            const auto caller = numbers_.find({async, entry.caller});
            nodes_.push_back({caller == numbers_.end() ? std::nullopt : std::optional(caller->second),
                              entry.function, async});
        }
        return nodes_[known->second];
    }

    std::vector<Node> nodes_;
    std::map<std::pair<bool, std::uint32_t>, std::size_t> numbers_;
    double preempted_ = 0;
};

/// Makes each node's total of its own time and its callees': what is taken off for the probe is a mean, and may
/// be more than one function's share.
void sum_up_totals(std::vector<CallNode>& calls) {
    for (CallNode& node : calls) node.total = node.self;
    for (auto node = calls.rbegin(); node != calls.rend(); ++node) {
        node->waiting = std::min(node->waiting, node->total);
        if (node->caller) calls[*node->caller].total += node->total;
    }
}

std::vector<CallNode> call_tree(std::span<const Node> nodes, Operation operation, const CallCost& cost) {
    std::vector<CallNode> calls;
    for (const Node& node : nodes) {
        const Stage stage = node.async    ? Stage::async
                            : node.caller ? calls[*node.caller].stage
                                          : stage_of(node.function, operation);
        const double self = less(node.self, cost.inside * node.typical_calls + cost.outside * node.callees);
        calls.push_back({node.caller, node.function, stage, node.calls, 0, self, node.waiting, 0});
    }
    sum_up_totals(calls);
    return calls;
}

/// The workers, whose calls and times tracepoints tell exactly: what was sampled says what is inside.
void add_workers(std::vector<CallNode>& calls, std::span<const Node> nodes) {
    for (const Node& worker : nodes) {
        if (!worker.async) continue;
        auto at = std::ranges::find_if(calls, [&](const CallNode& node) {
            return node.stage == Stage::async && !node.caller && node.function == worker.function;
        });
        if (at == calls.end()) at = calls.insert(at, {{}, worker.function, Stage::async, 0, 0, 0, 0, 0});
        const double inside = at->total - at->self;
        at->calls = worker.calls;
        at->self = less(worker.self, inside);
        at->total = inside + at->self;
        at->waiting = std::min(worker.waiting, at->total);
    }
}

/// The same from stacks, whose times are estimates and whose calls are unknown.
std::vector<CallNode> call_tree(const Seen& seen, std::span<const Node> workers, Operation operation) {
    std::map<std::pair<std::optional<std::size_t>, std::size_t>, std::size_t> numbers;
    std::vector<CallNode> calls;
    for (const ProfileEntry& entry : seen.snapshot.profile) {
        if (entry.what != NSB_SAMPLE && entry.what != NSB_WAIT) continue;
        const bool is_wait = entry.what == NSB_WAIT;
        const double ticks = weight(seen, entry.async) *
                             (is_wait ? static_cast<double>(entry.sum)
                                      : static_cast<double>(entry.count * kSamplingPeriodNs));
        const std::vector<std::size_t> on_stack = traced_on(*entry.stack);
        std::optional<std::size_t> at;
        for (auto function = on_stack.rbegin(); function != on_stack.rend(); ++function) {
            const auto [known, is_new] = numbers.try_emplace({at, *function}, calls.size());
            if (is_new) {
                const Stage stage = entry.async ? Stage::async
                                    : at        ? calls[*at].stage
                                                : stage_of(*function, operation);
                calls.push_back({at, *function, stage, std::nullopt, 0, 0, 0, 0});
            }
            at = known->second;
            if (is_wait) calls[*at].waiting += ticks;
            if (!is_wait) calls[*at].samples += static_cast<double>(entry.count);
        }
        if (at) calls[*at].self += ticks;
    }
    sum_up_totals(calls);
    add_workers(calls, workers);
    return calls;
}

/// Times of a function on all paths. Percentiles are of all executions, the others of the typical ones.
FunctionTimes times_of(std::size_t function, const ProbedCase& probed, const Seen& seen) {
    FunctionTimes times;
    for (const CallNode& node : probed.calls) {
        if (node.function != function) continue;
        if (node.calls) times.calls = times.calls.value_or(0) + *node.calls;
        times.total += node.total;
        times.self += node.self;
        times.waiting += node.waiting;
        times.samples += node.samples;
        // Samples are counts: their standard deviation is their root. Workers' are few, and divided otherwise.
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
    times.p50 = less(percentile(buckets, 0.5), in_call);
    times.p90 = less(percentile(buckets, 0.9), in_call);
    times.p99 = less(percentile(buckets, 0.99), in_call);
    times.max = less(max, in_call);
}

/// Attached programs change a little of what the kernel does, such as where it finds memory: a part of a
/// phase's time, by which the difference between probed and unprobed is uncertain however many its samples.
constexpr double kDisturbance = 0.01;

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

void attribute_functions(ProbedCase& probed, const Seen& seen, const Measure& measure) {
    const CallCost cost = measure.traces_calls ? measure.cost : CallCost{};
    const Operation operation = probed.measured.operation;
    const Tree tree(seen);
    probed.calls = measure.traces_calls ? call_tree(tree.nodes(), operation, cost)
                                        : call_tree(seen, tree.nodes(), operation);
    probed.preempted = tree.preempted();
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        const Probe::Service& service = measure.services[i];
        FunctionRow row{i, service.backend, service.reason, {}, service.missed};
        if (std::ranges::find(probed.calls, i, &CallNode::function) != probed.calls.end()) {
            row.times = times_of(i, probed, seen);
            if (row.times->calls) add_percentiles(*row.times, i, tree.nodes(), seen.snapshot.buckets[i], cost);
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

std::vector<ObjectCount> objects_by_allocation(const Seen& memory) {
    struct Maker {
        Kind kind;
        nsb_what allocator;
        std::string_view function;
    };
    // Each asks this allocator for the namespace itself and for nothing else.
    static constexpr std::array<Maker, 8> kMakers{{{Kind::cgroup, NSB_KMALLOC, "copy_cgroup_ns"},
                                                   {Kind::ipc, NSB_KMALLOC, "copy_ipcs"},
                                                   {Kind::net, NSB_SLAB, "copy_net_ns"},
                                                   {Kind::mnt, NSB_KMALLOC, "alloc_mnt_ns"},
                                                   {Kind::pid, NSB_SLAB, "copy_pid_ns"},
                                                   {Kind::time, NSB_KMALLOC, "copy_time_ns"},
                                                   {Kind::user, NSB_SLAB, "create_user_ns"},
                                                   {Kind::uts, NSB_SLAB, "copy_utsname"}}};
    std::vector<ObjectCount> counts;
    for (const Maker& maker : kMakers) {
        ObjectCount count{maker.kind, 0, 0, 0};
        for (const ProfileEntry& entry : memory.snapshot.profile) {
            if (entry.what != maker.allocator || name_call_site(*entry.stack) != maker.function) continue;
            (entry.freed ? count.gone : count.made) += entry.count;
        }
        if (count.made > 0) counts.push_back(count);
    }
    return counts;
}

}  // namespace nsb::probe
