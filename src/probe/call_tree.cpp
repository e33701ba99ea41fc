#include "probe/call_tree.h"

#include <algorithm>
#include <boost/range/adaptor/reversed.hpp>
#include <unordered_map>

namespace nsb::probe {
namespace {

std::optional<std::size_t> find_traced(const std::string& name) {
    static const auto kNumbers = [] {
        std::unordered_map<std::string, std::size_t> numbers;
        for (std::size_t i = 0; i < kTraced.size(); ++i) numbers.emplace(kTraced[i].name, i);
        return numbers;
    }();
    const auto at = kNumbers.find(name);
    return at == kNumbers.end() ? std::nullopt : std::optional(at->second);
}

/// Makes each node's total of its own time and its callees': what is taken off for the probe is a mean, and
/// may be more than one function's share.
void sum_up_totals(std::vector<CallNode>& calls) {
    for (CallNode& node : calls) node.total = node.self;
    for (auto node = calls.rbegin(); node != calls.rend(); ++node) {
        node->waiting = std::min(node->waiting, node->total);
        if (node->caller) calls[*node->caller].total += node->total;
    }
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
        at->self = subtract(worker.self, inside);
        at->total = inside + at->self;
        at->waiting = std::min(worker.waiting, at->total);
    }
}

}  // namespace

/// What an entry counts once, per execution.
double weight(const Observations& seen, bool async) {
    return 1 / static_cast<double>(async ? seen.torn_down : seen.samples);
}

double subtract(double value, double taken_off) {
    return std::max(0.0, value - taken_off);
}

std::vector<std::size_t> traced_on(const std::vector<std::string>& stack) {
    std::vector<std::size_t> found;
    for (const std::string& name : stack) {
        if (const auto number = find_traced(name)) found.push_back(*number);
    }
    return found;
}

CallTree::CallTree(const Observations& seen) {
    const bool all_are_typical = seen.typical_samples == 0;
    add(seen.snapshot.calls, false, weight(seen, false), all_are_typical ? weight(seen, false) : 0);
    if (!all_are_typical) add(seen.typical, false, 0, 1 / static_cast<double>(seen.typical_samples));
    add(seen.snapshot.async, true, weight(seen, true), weight(seen, true));
    for (Node& node : nodes_) {
        if (node.caller) nodes_[*node.caller].callees += node.typical_calls;
    }
}

void CallTree::add(std::span<const CallEntry> entries, bool async, double weight_of_all,
                   double weight_of_typical) {
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

Node& CallTree::at(const CallEntry& entry, bool async) {
    const auto [known, is_new] = numbers_.try_emplace({async, entry.node}, nodes_.size());
    if (is_new) {
        const auto caller = numbers_.find({async, entry.caller});
        nodes_.push_back(
            {caller == numbers_.end() ? std::nullopt : std::optional(caller->second), entry.function, async});
    }
    return nodes_[known->second];
}

std::vector<CallNode> CallTree::calls(Operation operation, const CallCost& cost) const {
    std::vector<CallNode> calls;
    for (const Node& node : nodes_) {
        const Stage stage = node.async    ? Stage::async
                            : node.caller ? calls[*node.caller].stage
                                          : stage_of(node.function, operation);
        const double self =
            subtract(node.self, cost.inside * node.typical_calls + cost.outside * node.callees);
        calls.push_back({node.caller, node.function, stage, node.calls, 0, self, node.waiting, 0});
    }
    sum_up_totals(calls);
    return calls;
}

std::vector<CallNode> sampled_calls(const Observations& seen, const CallTree& workers, Operation operation) {
    std::map<std::pair<std::optional<std::size_t>, std::size_t>, std::size_t> numbers;
    std::vector<CallNode> calls;
    for (const ProfileEntry& entry : seen.snapshot.profile) {
        if (entry.what != NSB_SAMPLE && entry.what != NSB_WAIT) continue;
        const bool is_wait = entry.what == NSB_WAIT;
        const double ticks =
            weight(seen, entry.async) *
            (is_wait ? static_cast<double>(entry.sum) : static_cast<double>(entry.count * kSamplingPeriodNs));
        const std::vector<std::size_t> on_stack = traced_on(*entry.stack);
        std::optional<std::size_t> at;
        for (const std::size_t function : boost::adaptors::reverse(on_stack)) {
            const auto [known, is_new] = numbers.try_emplace({at, function}, calls.size());
            if (is_new) {
                const Stage stage = entry.async ? Stage::async
                                    : at        ? calls[*at].stage
                                                : stage_of(function, operation);
                calls.push_back({at, function, stage, std::nullopt, 0, 0, 0, 0});
            }
            at = known->second;
            if (is_wait) calls[*at].waiting += ticks;
            if (!is_wait) calls[*at].samples += static_cast<double>(entry.count);
        }
        if (at) calls[*at].self += ticks;
    }
    sum_up_totals(calls);
    add_workers(calls, workers.nodes());
    return calls;
}

}  // namespace nsb::probe
