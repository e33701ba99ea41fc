#include "core/position.h"

#include <gtest/gtest.h>

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

TEST(Position, ExplainsNothingWhereNothingVaries) {
    const std::vector<std::vector<double>> machines{{7, 7, 7, 7, 7}};
    EXPECT_DOUBLE_EQ(position_of(machines)->explained, 0);
}

TEST(Position, NeedsFiveSamplesOfEachMachine) {
    const std::vector<std::vector<double>> machines{{1, 2, 3, 4, 5}, {1, 2, 3, 4}};
    EXPECT_FALSE(position_of(machines));
    EXPECT_FALSE(position_of({}));
}

}  // namespace
}  // namespace nsb
