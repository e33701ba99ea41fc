#include "run/checkpoint.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

TEST(Checkpoint, TakesNoMoreThanATenthOfTheTime) {
    Checkpoint::Clock::time_point now{1h};
    Checkpoint::Clock::duration costs = 1s;
    int saved = 0;
    Checkpoint checkpoint(
        [&] {
            ++saved;
            now += costs;
        },
        [&] { return now; });
    EXPECT_TRUE(checkpoint.reach()) << "the first round";
    EXPECT_FALSE(checkpoint.reach());
    now += 8s;
    EXPECT_FALSE(checkpoint.reach());
    now += 1s;
    costs = 10s;
    EXPECT_TRUE(checkpoint.reach());
    now += 89s;
    EXPECT_FALSE(checkpoint.reach()) << "it has become dearer";
    now += 1s;
    EXPECT_TRUE(checkpoint.reach());
    EXPECT_EQ(saved, 3);
}

TEST(Checkpoint, AFailureEndsNothing) {
    Checkpoint checkpoint([] { throw std::runtime_error("no room"); });
    EXPECT_TRUE(checkpoint.reach());
    EXPECT_FALSE(Checkpoint(nullptr).reach()) << "there is nothing to save";
}

}  // namespace
}  // namespace nsb::run
