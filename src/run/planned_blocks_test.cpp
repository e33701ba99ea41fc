#include "run/planned_blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "run/run_options.h"

namespace nsb::run {
namespace {

constexpr std::uint32_t kLeadIn = 2;

/// Cases of unshare by their sets, the first of which is the base of the others.
struct Plan {
    std::vector<Case> cases;
    std::vector<Standing> standings;

    explicit Plan(const std::vector<KindSet>& sets) {
        for (const KindSet set : sets) {
            cases.push_back(Case::of(Operation::unshare, set));
            standings.push_back({});
            if (cases.size() > 1) standings.back().base = 0;
        }
    }
};

/// What rounds of `block` samples come to, until each case that is planned has `samples` of them.
struct BlockCounts {
    std::vector<std::uint32_t> samples;  ///< of each series
    std::vector<std::uint32_t> rounds;   ///< in which it was visited
};

BlockCounts measure_all(Plan plan, bool is_base_planned, std::uint32_t samples, std::uint32_t block) {
    BlockCounts counts{std::vector<std::uint32_t>(plan.cases.size()),
                       std::vector<std::uint32_t>(plan.cases.size())};
    for (;;) {
        for (std::size_t i = is_base_planned ? 0 : 1; i < plan.cases.size(); ++i)
            plan.standings[i].wanted = std::min(block, samples - std::min(samples, counts.samples[i]));
        const auto planned = plan_blocks(plan.cases, plan.standings, {kLeadIn, false, true});
        if (planned.empty()) return counts;
        for (const PlannedBlock& one : planned) {
            counts.samples[one.series] += one.samples;
            ++counts.rounds[one.series];
        }
    }
}

TEST(PlannedBlocks, ABaseHasAboutAsManySamplesAsTheCasesThatItServes) {
    // NEWPID and NEWNET are measured in blocks that fit a batch of the kernel's teardown, NEWNS and NEWUTS in
    // those of the run: each round needs its base.
    const std::vector<std::vector<KindSet>> plans{
        {{}, Kind::pid}, {{}, Kind::mnt}, {{}, Kind::pid, Kind::net, Kind::mnt, Kind::uts}};
    for (const std::vector<KindSet>& sets : plans) {
        for (const std::uint32_t samples : {1U, 50U, 1000U, 4000U, 10000U, 40000U}) {
            for (const std::uint32_t block : {std::max(1U, samples / 10), 1U, 1000U}) {
                for (const bool is_base_planned : {false, true}) {
                    SCOPED_TRACE(testing::Message()
                                 << sets.size() << " sets, " << samples << " in blocks of " << block);
                    const BlockCounts counts = measure_all(Plan(sets), is_base_planned, samples, block);
                    for (std::size_t i = 1; i < sets.size(); ++i) EXPECT_EQ(counts.samples[i], samples);
                    EXPECT_GE(counts.samples[0], samples);
                    EXPECT_LE(counts.samples[0], 2 * samples);
                    EXPECT_EQ(counts.rounds[0], std::ranges::max(counts.rounds)) << "a difference is missing";
                }
            }
        }
    }
}

TEST(PlannedBlocks, ABaseIsVisitedOftenWhereItServesManyAndAPrecisionIsWanted) {
    std::vector<KindSet> sets;
    for (int bits = 0; bits < KindSet::kCount; ++bits) sets.emplace_back(static_cast<std::uint8_t>(bits));
    const auto blocks_of_base = [&](std::size_t open, bool is_fixed) {
        Plan plan(sets);
        for (std::size_t i = 1; i <= open; ++i) plan.standings[i].wanted = 4;
        const auto planned = plan_blocks(plan.cases, plan.standings, {kLeadIn, false, is_fixed});
        return std::ranges::count(planned, 0U, &PlannedBlock::series);
    };
    EXPECT_EQ(blocks_of_base(1, false), 1);
    EXPECT_EQ(blocks_of_base(9, false), 3);
    EXPECT_EQ(blocks_of_base(255, false), 8);
    EXPECT_EQ(blocks_of_base(255, true), 1);
}

TEST(PlannedBlocks, FillABatchOfTheKernelsTeardownAndNeverOverfillIt) {
    Plan plan({{}, Kind::net});
    plan.standings[1].wanted = 2;
    auto planned = plan_blocks(plan.cases, plan.standings, {kLeadIn, false, false});
    ASSERT_EQ(planned.size(), 2U);
    EXPECT_EQ(planned[1].samples + kLeadIn, kMaxBacklog);
    plan.standings[1].wanted = 1000;
    planned = plan_blocks(plan.cases, plan.standings, {kLeadIn, false, true});
    EXPECT_EQ(planned[1].samples + kLeadIn, kMaxBacklog);
}

TEST(PlannedBlocks, LeaveOutWhatFailedAndWhatServesNobody) {
    Plan plan({{}, Kind::uts});
    plan.standings[1] = {3, true, 0};
    EXPECT_TRUE(plan_blocks(plan.cases, plan.standings, {kLeadIn, false, true}).empty());
}

TEST(PlannedBlocks, OfTheWarmUpDoNotCount) {
    Plan plan({{}, Kind::net});
    plan.standings[1].wanted = 1;
    for (const PlannedBlock& block : plan_blocks(plan.cases, plan.standings, {kLeadIn, true, false})) {
        EXPECT_FALSE(block.counted);
        EXPECT_EQ(block.samples, 1U);
    }
}

}  // namespace
}  // namespace nsb::run
