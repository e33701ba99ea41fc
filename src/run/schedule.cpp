#include "run/schedule.h"

#include <algorithm>
#include <array>
#include <random>

namespace nsb::run {

TeardownClass teardown_class(const Case& c) {
    if (c.set.contains(Kind::net)) return TeardownClass::net;
    return c.set.intersects(kWaitedFor) ? TeardownClass::light : TeardownClass::none;
}

std::vector<Group> schedule(std::span<const PlannedBlock> planned, std::span<const Case> cases,
                            std::uint64_t seed, std::uint32_t round, std::uint32_t max_backlog) {
    std::seed_seq mixed{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U), round};
    std::mt19937_64 random(mixed);
    std::vector<PlannedBlock> order(planned.begin(), planned.end());
    std::shuffle(order.begin(), order.end(), random);

    std::vector<Group> groups;
    struct Open {
        Group group;
        std::uint64_t backlog = 0;
    };
    std::array<Open, 3> open_groups;  // by teardown class
    for (const PlannedBlock& block : order) {
        const Case& c = cases[block.series];
        const TeardownClass teardown = teardown_class(c);
        Open& open = open_groups[static_cast<std::size_t>(teardown)];
        const std::uint64_t leaves = std::uint64_t{block.lead_in + block.samples} * c.at_once();
        if (!open.group.empty() && (teardown == TeardownClass::none || open.backlog + leaves > max_backlog)) {
            groups.push_back(std::move(open.group));
            open = {};
        }
        open.group.push_back(block);
        open.backlog += leaves;
    }
    for (Open& open : open_groups) {
        if (!open.group.empty()) groups.push_back(std::move(open.group));
    }
    // A group fills up over the whole round, so where it stands is drawn again.
    std::shuffle(groups.begin(), groups.end(), random);
    return groups;
}

}  // namespace nsb::run
