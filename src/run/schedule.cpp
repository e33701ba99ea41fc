#include "run/schedule.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

namespace nsb::run {
namespace {

struct Leaving {
    PlannedBlock block;
    std::uint64_t namespaces;  ///< that it leaves to the kernel's workers
};

/// Gathers blocks in their order into as few groups as `max_backlog` allows, of about the same size: a wait
/// for a few namespaces is another one than that for many.
void gather(std::span<const Leaving> blocks, std::uint64_t max_backlog, std::vector<Group>& groups) {
    std::uint64_t total = 0;
    for (const Leaving& one : blocks) total += one.namespaces;
    const std::uint64_t count = (total + max_backlog - 1) / max_backlog;
    std::uint64_t done = 0;
    std::uint64_t backlog = 0;
    std::uint64_t closed = 0;
    Group group;
    for (const Leaving& one : blocks) {
        // By its middle it belongs to the next share of the whole.
        const bool is_share = (2 * done + one.namespaces) * count > 2 * (closed + 1) * total;
        if (!group.empty() && (is_share || backlog + one.namespaces > max_backlog)) {
            groups.push_back(std::exchange(group, {}));
            ++closed;
            backlog = 0;
        }
        group.push_back(one.block);
        backlog += one.namespaces;
        done += one.namespaces;
    }
    if (!group.empty()) groups.push_back(std::move(group));
}

}  // namespace

TeardownClass teardown_class(const Case& c) {
    if (c.set.contains(Kind::net)) return TeardownClass::net;
    if (c.set.contains(Kind::user)) return TeardownClass::user;
    return c.set.intersects(kWaitedFor) ? TeardownClass::light : TeardownClass::none;
}

std::vector<Group> schedule(std::span<const PlannedBlock> planned, std::span<const Case> cases,
                            std::uint64_t seed, std::uint32_t round, std::uint32_t max_backlog) {
    std::seed_seq mixed{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U), round};
    std::mt19937_64 random(mixed);
    std::vector<PlannedBlock> order(planned.begin(), planned.end());
    std::shuffle(order.begin(), order.end(), random);

    std::vector<Group> groups;
    std::array<std::vector<Leaving>, kTeardownClasses> leaving;  // by teardown class
    for (const PlannedBlock& block : order) {
        const Case& c = cases[block.series];
        const TeardownClass teardown = teardown_class(c);
        // What conditions leave is not for a batch: it would be in the drain of others.
        if (teardown == TeardownClass::none || left_by_conditions(c) > 0) {
            groups.push_back({block});
        } else {
            leaving[static_cast<std::size_t>(teardown)].push_back(
                {block, std::uint64_t{block.lead_in + block.samples} * c.at_once()});
        }
    }
    for (const auto& blocks : leaving) gather(blocks, max_backlog, groups);
    // A group fills up over the whole round, so where it stands is drawn again.
    std::shuffle(groups.begin(), groups.end(), random);
    return groups;
}

}  // namespace nsb::run
