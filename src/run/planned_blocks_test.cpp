#include "run/planned_blocks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace nsb::run {
namespace {

constexpr BlockShape kNone{4, 16}, kLight{4, 12}, kNet{4, 4};

/// Series of these shapes, the first of which is the base of the others.
std::vector<Standing> standings_of(const std::vector<BlockShape>& shapes) {
    std::vector<Standing> standings;
    for (const BlockShape& shape : shapes) {
        standings.push_back({shape, 1, 0, false, std::nullopt});
        if (standings.size() > 1) standings.back().base = 0;
    }
    return standings;
}

/// What rounds come to, until each case that is planned has `samples`.
struct BlockCounts {
    std::vector<std::uint32_t> samples;  ///< of each series
    std::vector<std::uint32_t> rounds;   ///< in which it was visited
};

BlockCounts measure_all(std::vector<Standing> standings, bool is_base_planned, std::uint32_t samples) {
    BlockCounts counts{std::vector<std::uint32_t>(standings.size()),
                       std::vector<std::uint32_t>(standings.size())};
    for (;;) {
        for (std::size_t i = is_base_planned ? 0 : 1; i < standings.size(); ++i) {
            const std::uint32_t lacking = samples - std::min(samples, counts.samples[i]);
            standings[i].wanted = std::min(standings[i].shape.samples, lacking);
        }
        const auto planned = plan_blocks(standings, {false, true});
        if (planned.empty()) return counts;
        for (const PlannedBlock& one : planned) {
            counts.samples[one.series] += one.samples;
            ++counts.rounds[one.series];
        }
    }
}

TEST(PlannedBlocks, ABaseHasAboutAsManySamplesAsTheCasesThatItServes) {
    const std::vector<std::vector<BlockShape>> plans{
        {kNone, kLight}, {kNone, kNet}, {kNone, kLight, kNet, kNone}};
    for (const std::vector<BlockShape>& shapes : plans) {
        for (const std::uint32_t samples : {1U, 50U, 1000U, 40000U}) {
            for (const bool is_base_planned : {false, true}) {
                SCOPED_TRACE(testing::Message() << shapes.size() << " series, " << samples);
                const BlockCounts counts = measure_all(standings_of(shapes), is_base_planned, samples);
                for (std::size_t i = 1; i < shapes.size(); ++i) EXPECT_EQ(counts.samples[i], samples);
                EXPECT_GE(counts.samples[0], samples);
                EXPECT_LE(counts.samples[0], 2 * samples);
                EXPECT_EQ(counts.rounds[0], std::ranges::max(counts.rounds)) << "a difference is missing";
            }
        }
    }
}

TEST(PlannedBlocks, AreAsOftenAndAsLongAsTheirClassHasThem) {
    std::vector<Standing> standings = standings_of({kNone, kLight, kNet});
    standings[0].blocks = 6;
    standings[1].blocks = standings[2].blocks = 3;
    standings[1].wanted = kLight.samples;
    const auto planned = plan_blocks(standings, {false, false});
    ASSERT_EQ(planned.size(), 9U);
    EXPECT_EQ(std::ranges::count(planned, 0U, &PlannedBlock::series), 6);
    for (const PlannedBlock& block : planned) {
        EXPECT_TRUE(block.counted);
        EXPECT_EQ((BlockShape{block.lead_in, block.samples}), block.series == 0 ? kNone : kLight);
    }
}

TEST(PlannedBlocks, LeaveOutWhatFailedAndWhatServesNobody) {
    std::vector<Standing> standings = standings_of({kNone, kLight});
    standings[1].wanted = 3;
    standings[1].is_failed = true;
    EXPECT_TRUE(plan_blocks(standings, {false, true}).empty());
    standings[1].is_failed = false;
    standings[0].is_failed = true;
    EXPECT_EQ(plan_blocks(standings, {false, false}).size(), 1U);
}

TEST(PlannedBlocks, OfTheWarmUpDoNotCount) {
    std::vector<Standing> standings = standings_of({kNone, kNet});
    standings[0].blocks = standings[1].blocks = 16;
    standings[1].wanted = 1;
    const auto planned = plan_blocks(standings, {true, false});
    EXPECT_EQ(planned.size(), 2U);
    for (const PlannedBlock& block : planned) {
        EXPECT_FALSE(block.counted);
        EXPECT_EQ(block.samples, 1U);
        EXPECT_EQ(block.lead_in, 1U);
    }
}

}  // namespace
}  // namespace nsb::run
