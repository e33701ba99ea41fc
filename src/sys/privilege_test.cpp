#include "sys/privilege.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace nsb::sys {
namespace {

TEST(WithRightsOverFiles, HasNoOthersInEffectWhileItWorks) {
    const auto own = held_capabilities();
    ASSERT_TRUE(own);
    if ((*own & ~over_files()) == 0) GTEST_SKIP() << "needs root: here there is nothing to be lowered";
    std::optional<Capabilities> within;
    std::optional<Capabilities> further_within;
    EXPECT_TRUE(with_rights_over_files([&] {
        within = held_capabilities();
        EXPECT_TRUE(with_rights_over_files([&] { further_within = held_capabilities(); }));
        EXPECT_EQ(held_capabilities(), within) << "what is within does not raise them";
    }));
    EXPECT_EQ(within, *own & over_files());
    EXPECT_EQ(further_within, within);
    EXPECT_EQ(held_capabilities(), own);
}

TEST(WithRightsOverFiles, HasThemAgainBehindWorkThatThrew) {
    const auto own = held_capabilities();
    const auto work = [] { throw std::out_of_range("work"); };
    EXPECT_THROW((void)with_rights_over_files(work), std::out_of_range);
    EXPECT_EQ(held_capabilities(), own);
}

}  // namespace
}  // namespace nsb::sys
