#include "run/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nsb::run {
namespace {

std::vector<Case> all_clones() {
    std::vector<Case> cases;
    for (int bits = 0; bits < KindSet::kCount; ++bits) {
        cases.push_back(Case::of(Operation::clone, KindSet(static_cast<std::uint8_t>(bits))));
    }
    return cases;
}

std::vector<PlannedBlock> block_of_each(const std::vector<Case>& cases) {
    std::vector<PlannedBlock> planned;
    for (std::size_t i = 0; i < cases.size(); ++i) planned.push_back({i, 2, 4, true});
    return planned;
}

std::vector<std::size_t> order_of(const std::vector<Group>& groups) {
    std::vector<std::size_t> order;
    for (const Group& group : groups) {
        for (const PlannedBlock& block : group) order.push_back(block.series);
    }
    return order;
}

TEST(Schedule, VisitsEachOnceInAnOrderThatOnlySeedAndRoundDecide) {
    const auto cases = all_clones();
    const auto planned = block_of_each(cases);
    auto order = order_of(schedule(planned, cases, 1, 1, 64));
    EXPECT_EQ(order, order_of(schedule(planned, cases, 1, 1, 64)));
    EXPECT_NE(order, order_of(schedule(planned, cases, 1, 2, 64)));
    EXPECT_NE(order, order_of(schedule(planned, cases, 2, 1, 64)));
    std::sort(order.begin(), order.end());
    for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(order[i], i);
}

TEST(Schedule, KeepsGroupsPureAndBelowTheBacklog) {
    const auto cases = all_clones();
    for (const Group& group : schedule(block_of_each(cases), cases, 3, 1, 64)) {
        const TeardownClass teardown = teardown_class(cases[group.front().series]);
        std::uint32_t pending = 0;
        for (const PlannedBlock& block : group) {
            EXPECT_EQ(teardown_class(cases[block.series]), teardown);
            pending += block.lead_in + block.samples;
        }
        EXPECT_LE(pending, 64U);
        if (teardown == TeardownClass::none) {
            EXPECT_EQ(group.size(), 1U);
        }
    }
}

TEST(Schedule, TellsApartWhatIsWaitedForLongFromWhatIsNot) {
    const auto of = [](KindSet set) { return teardown_class(Case::of(Operation::clone, set)); };
    EXPECT_EQ(of(Kind::uts | Kind::mnt), TeardownClass::none);
    EXPECT_EQ(of(Kind::pid | Kind::ipc), TeardownClass::light);
    EXPECT_EQ(of(Kind::pid | Kind::user), TeardownClass::user);
    EXPECT_EQ(of(Kind::net | Kind::user), TeardownClass::net);
}

TEST(Schedule, GroupsAreOfAboutTheSameSize) {
    const std::vector<Case> cases{Case::of(Operation::clone, Kind::net)};
    for (std::size_t blocks = 1; blocks < 200; ++blocks) {
        for (const std::uint32_t samples : {4U, 12U, 21U}) {
            const std::vector<PlannedBlock> planned(blocks, {0, 4, samples, true});
            const auto groups = schedule(planned, cases, 1, 1, 64);
            const std::size_t fitting = 64 / (4 + samples);
            EXPECT_EQ(groups.size(), (blocks + fitting - 1) / fitting) << blocks << " blocks of " << samples;
            const auto [least, most] = std::ranges::minmax(groups, {}, &Group::size);
            if (64 % (4 + samples) == 0) {
                EXPECT_LE(most.size() - least.size(), 1U) << blocks << " blocks of " << samples;
            }
        }
    }
}

TEST(Schedule, OneBlockMayExceedTheBacklogButStandsAlone) {
    const std::vector<Case> cases{Case::of(Operation::clone, Kind::net),
                                  Case::of(Operation::clone, Kind::net)};
    const std::vector<PlannedBlock> planned{{0, 2, 200, true}, {1, 2, 200, true}};
    EXPECT_EQ(schedule(planned, cases, 1, 1, 64).size(), 2U);
}

TEST(Schedule, WhatConditionsLeaveIsInNoBatchOfOthers) {
    const std::vector<Case> cases{Case::of(Operation::clone, Kind::net),
                                  Case::of(Operation::clone, Kind::net).with(Parameter::netns, 5),
                                  Case::of(Operation::clone, Kind::net).with(Parameter::mounts, 5)};
    const std::vector<PlannedBlock> planned{
        {0, 2, 4, true}, {1, 2, 4, true}, {2, 2, 4, true}, {1, 2, 4, true}};
    const auto groups = schedule(planned, cases, 1, 1, 64);
    EXPECT_EQ(groups.size(), 3U);
    for (const Group& group : groups) {
        if (std::ranges::any_of(group, [](const PlannedBlock& block) { return block.series == 1; })) {
            EXPECT_EQ(group.size(), 1U);
        }
    }
}

}  // namespace
}  // namespace nsb::run
