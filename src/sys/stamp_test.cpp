#include "sys/stamp.h"

#include <gtest/gtest.h>

#include "sys/child.h"

namespace nsb::sys {
namespace {

TEST(TimeBetween, InterpolatesOnTheClock) {
    const Moment a{1000, 50};
    const Moment b{3000, 150};
    EXPECT_EQ(time_between(a, b, 50), 1000U);
    EXPECT_EQ(time_between(a, b, 100), 2000U);
    EXPECT_EQ(time_between(a, b, 150), 3000U);
}

TEST(TimeBetween, HasNothingToSayOfCountersThatDisagree) {
    EXPECT_FALSE(time_between({1000, 50}, {3000, 150}, 49));
    EXPECT_FALSE(time_between({1000, 50}, {3000, 150}, 151));
    EXPECT_FALSE(time_between({1000, 50}, {3000, 50}, 50));
    EXPECT_FALSE(time_between({1000, 50}, {3000, 40}, 45));
}

TEST(Stamp, ComesFromTheChild) {
    const auto stamp = Stamp::make();
    ASSERT_TRUE(stamp);
    EXPECT_EQ(stamp->take(), 0U);
    const Moment before = Moment::before();
    const auto pid = plain_fork();
    ASSERT_TRUE(pid);
    if (*pid == 0) {
        stamp->mark();
        _exit(0);
    }
    ASSERT_TRUE(reap(*pid));
    const Moment after = Moment::after();
    const auto time = time_between(before, after, stamp->take());
    ASSERT_TRUE(time);
    EXPECT_GE(*time, before.ns);
    EXPECT_LE(*time, after.ns);
}

}  // namespace
}  // namespace nsb::sys
