#include "probe/maps.h"

#include <algorithm>
#include <array>

namespace nsb::probe {

void NodeNames::add(std::uint32_t name) {
    const std::size_t caller = name / NSB_MAX_FUNCTIONS;
    const std::uint32_t function = name % NSB_MAX_FUNCTIONS;
    CallEntry node{static_cast<std::uint32_t>(nodes_.size()), NSB_ROOT, function, {}};
    if (caller < nodes_.size()) node.caller = nodes_[caller].node;
    const auto same = std::ranges::find_if(nodes_.begin() + 1, nodes_.end(), [&](const CallEntry& known) {
        return known.caller == node.caller && known.function == node.function;
    });
    if (same != nodes_.end()) node.node = same->node;
    nodes_.push_back(node);
}

Snapshot snapshot_of(const Maps& maps, std::span<const CallEntry> nodes) {
    const auto is_known = [](std::uint32_t function) {
        return function < kTraced.size() || function == NSB_PREEMPTION;
    };
    static constexpr std::array<__u64, NSB_BUCKETS> kNone{};
    Snapshot snapshot;
    std::uint64_t without_node = 0;  // calls, each of which the probe's own count has only as a path
    for (std::size_t row = 0; row < NSB_ROWS; ++row) {
        const auto sums = maps.calls.subspan(row * NSB_NODES, NSB_NODES);
        without_node += sums[NSB_NO_NODE].calls;
        std::vector<CallEntry> own;
        for (std::size_t number = 1; number < std::min(nodes.size(), sums.size()); ++number) {
            if (sums[number].calls == 0 || !is_known(nodes[number].function)) continue;
            CallEntry entry = nodes[number];
            entry.sums = sums[number];
            own.push_back(entry);
        }
        if (row == 0) {
            add(snapshot.async, own);
            continue;
        }
        add(snapshot.calls, own);
        if (row <= NSB_EXECUTIONS && !own.empty()) snapshot.executions.push_back(std::move(own));
    }
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        const auto own = maps.buckets.subspan(i * NSB_BUCKETS, NSB_BUCKETS);
        if (!std::equal(own.begin(), own.end(), kNone.begin())) {
            snapshot.buckets[i].assign(own.begin(), own.end());
        }
        snapshot.objects[i] = maps.objects[i];
    }
    std::ranges::copy(maps.lost.first(NSB_LOST_REASONS), snapshot.lost.begin());
    snapshot.lost[NSB_LOST_NODE] = std::max<std::uint64_t>(snapshot.lost[NSB_LOST_NODE], without_node);
    return snapshot;
}

std::optional<ProfileEntry> entry_of(const nsb_profile_key& key, const nsb_profile& value,
                                     const std::vector<std::string>& stack) {
    const std::uint32_t what = key.what & ~std::uint32_t{NSB_FREED};
    if (what > NSB_PERCPU) return std::nullopt;
    return ProfileEntry{
        &stack,   static_cast<nsb_what>(what), (key.what & NSB_FREED) != 0, key.async != 0, value.count,
        value.sum};
}

std::vector<std::string> functions_on(const nsb_stack& stack, const Symbols& symbols) {
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(stack.frames, NSB_FRAMES); ++i) {
        // A return address may be the first of the next function where the call is the last of its own.
        std::string name = symbols.name(stack.address[i] - (i > 0 ? 1 : 0));
        if (!name.empty()) names.push_back(std::move(name));
    }
    return names;
}

}  // namespace nsb::probe
