#include "run/suspension.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace nsb::run {
namespace {

TEST(Suspension, IsWhatTheLagHasGrownByForCertain) {
    EXPECT_EQ(suspended_between({100, 103}, {3'000'100, 3'000'104}), 2'999'995);
    EXPECT_EQ(suspended_between({100, 103}, {100, 103}), 0);
    EXPECT_EQ(suspended_between({100, 103}, {105, 109}), 0) << "two readings, cut off";
    EXPECT_EQ(suspended_between({100, 103}, {90, 92}), 0);
}

TEST(Suspension, IsNoneWhereTimeMerelyPasses) {
    const Lag first = Lag::now();
    EXPECT_LE(first.least, first.most);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(suspended_between(first, Lag::now()), 0);
}

}  // namespace
}  // namespace nsb::run
