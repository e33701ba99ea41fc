#include "core/position.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace nsb {
namespace {

TEST(Position, TellsACaseThatChangesItself) {
    const std::vector<std::vector<double>> machines{{150, 140, 100, 101, 100, 101, 100, 101, 100, 101}};
    const auto found = position_of(machines);
    ASSERT_TRUE(found);
    EXPECT_GT(found->explained, 0.9);
    EXPECT_DOUBLE_EQ(found->first, 145);
    EXPECT_DOUBLE_EQ(found->steady, 100.5);
    EXPECT_DOUBLE_EQ(found->last, 100.5);
}

TEST(Position, DoesNotTakeAMachinesLevelForOne) {
    const std::vector<std::vector<double>> machines{{10, 11, 10, 11, 10, 11, 10, 11, 10, 11},
                                                    {90, 91, 90, 91, 90, 91, 90, 91, 90, 91}};
    EXPECT_LT(position_of(machines)->explained, 0.01);
}

TEST(Position, SeldomTakesNoiseForOne) {
    std::mt19937 random(1);
    std::normal_distribution<double> noise;
    int much = 0;
    constexpr int kTrials = 2000;
    for (int trial = 0; trial < kTrials; ++trial) {
        std::vector<double> samples(10);
        std::ranges::generate(samples, [&] { return noise(random); });
        much += position_of(std::vector<std::vector<double>>{samples})->explained > kMuchExplained ? 1 : 0;
    }
    EXPECT_LT(much, kTrials * 0.05);
}

TEST(Position, ExplainsNothingWhereNothingVaries) {
    const std::vector<std::vector<double>> machines{{7, 7, 7, 7, 7, 7, 7, 7, 7, 7}};
    EXPECT_DOUBLE_EQ(position_of(machines)->explained, 0);
}

TEST(Position, NeedsTenSamplesOfEachMachine) {
    const std::vector<std::vector<double>> machines{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
                                                    {1, 2, 3, 4, 5, 6, 7, 8, 9}};
    EXPECT_FALSE(position_of(machines));
    EXPECT_FALSE(position_of({}));
}

}  // namespace
}  // namespace nsb
