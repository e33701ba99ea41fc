#include "run/draining.h"

#include <gtest/gtest.h>

#include "run/fakes.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

env::PendingTeardown pending(std::uint32_t net, std::uint32_t user) {
    env::PendingTeardown all{};
    all[static_cast<std::size_t>(Kind::net)] = net;
    all[static_cast<std::size_t>(Kind::user)] = user;
    return all;
}

TakenBlock block(std::uint32_t net, std::uint32_t user) {
    TakenBlock taken;
    taken.pending = pending(net, user);
    return taken;
}

class DrainingTest : public testing::Test {
  protected:
    TeardownLog log_;
    Draining draining_{std::make_unique<FakeTeardown>(log_)};
};

TEST_F(DrainingTest, WaitsForAllThatBlocksHaveLeft) {
    draining_.begin();
    draining_.add(block(3, 0));
    draining_.add(block(4, 2));
    EXPECT_TRUE(draining_.wait(7ms));
    ASSERT_EQ(log_.waited.size(), 1U);
    EXPECT_EQ(log_.waited[0], pending(7, 2));
    EXPECT_EQ(log_.limits[0], 7ms);
    EXPECT_EQ(log_.begun, 2) << "a new batch begins behind the wait";
}

TEST_F(DrainingTest, WaitsForNothingTwice) {
    draining_.add(block(1, 1));
    EXPECT_TRUE(draining_.wait(1s));
    EXPECT_FALSE(draining_.wait(1s));
    EXPECT_EQ(log_.waited.size(), 1U);
}

TEST_F(DrainingTest, WaitsForNothingThatNobodyTearsDownLater) {
    draining_.add(TakenBlock{});
    EXPECT_FALSE(draining_.wait(1s));
    EXPECT_TRUE(log_.waited.empty());
}

TEST_F(DrainingTest, GivesTimeToWhatNobodyHasCounted) {
    TakenBlock half = block(0, 1);
    half.of_conditions = 30;
    half.is_uncounted = true;
    draining_.add(half);
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_TRUE(draining_.wait(1s));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
    EXPECT_EQ(log_.waited[0], pending(0, 1));
    EXPECT_GT(log_.limits[0], 1s);
}

TEST(Draining, PausesWhereNothingCanBeWatched) {
    Draining blind(nullptr);
    blind.begin();
    blind.add(block(1, 0));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(blind.wait(1s));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
}

TEST(Draining, IsNotAskedForWhereNoCaseLeavesAnything) {
    const TeardownAccess access = access_teardown(
        Cases::of({Case::of(Operation::clone, {}), Case::of(Operation::clone, Kind::uts)}, false, false),
        tl::unexpected(sys::Refusal{"open", "", EPERM}));
    EXPECT_EQ(access.watch, nullptr);
    EXPECT_FALSE(access.unseen);
    EXPECT_TRUE(access.warnings.empty());
}

TEST(Draining, IsRefusedWithAReason) {
    const TeardownAccess access =
        access_teardown(Cases::of({Case::of(Operation::clone, Kind::net)}, false, false),
                        tl::unexpected(sys::Refusal{"open", "/proc/x", EPERM}));
    EXPECT_EQ(access.watch, nullptr);
    ASSERT_TRUE(access.unseen);
    EXPECT_EQ(access.unseen->error, EPERM);
    EXPECT_EQ(access.unseen->reason, "teardown cannot be watched: open(/proc/x): EPERM");
    ASSERT_EQ(access.warnings.size(), 1U);
    EXPECT_TRUE(access.warnings[0].starts_with(access.unseen->reason + "; blocks")) << access.warnings[0];
    EXPECT_NE(access.warnings[0].find("a pause of 50 ms"), std::string::npos);
}

TEST(DrainOf, SumsUpTheKindsOfTheSet) {
    env::Drained drained{true, {}};
    drained.per_namespace[static_cast<std::size_t>(Kind::net)] = 500;
    drained.per_namespace[static_cast<std::size_t>(Kind::user)] = 20;
    drained.per_namespace[static_cast<std::size_t>(Kind::pid)] = 3;
    EXPECT_EQ(drain_of(Kind::net | Kind::user | Kind::pid | Kind::uts, drained), 520)
        << "pid is waited for, and has no phase";
    EXPECT_EQ(drain_of(Kind::user, drained), 20);
    EXPECT_EQ(drain_of(Kind::net | Kind::ipc, drained), 0) << "ipc was not seen to end";
    EXPECT_EQ(drain_of({}, drained), 0);
}

}  // namespace
}  // namespace nsb::run
