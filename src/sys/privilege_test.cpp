#include "sys/privilege.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <stdexcept>

#include "sys/capability_sets.h"

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

/// In a process of its own: it is for good.
TEST(GivingUp, PutsNothingInEffectThatWasNot) {
    auto sets = CapabilitySets::read();
    ASSERT_TRUE(sets);
    const Capabilities without = sets->effective() & ~over_files();
    if ((without >> CAP_SETPCAP & 1U) == 0) GTEST_SKIP() << "needs root with CAP_SETPCAP";
    EXPECT_EXIT(
        {
            if (sets->put_in_effect(without & ~(Capabilities{1} << CAP_SETPCAP)) != 0) _exit(2);
            if (!give_up_all_but_files()) _exit(3);
            _exit(held_capabilities() == Capabilities{0} ? 0 : 1);
        },
        testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace nsb::sys
