#include "run/taken_block.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "run/fakes.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kLeadIn = 2;

std::uint32_t of(const env::PendingTeardown& pending, Kind kind) {
    return pending[static_cast<std::size_t>(kind)];
}

TEST(TakenBlock, HasTheSamplesOfAllSamplersAndTellsTheirLeadIns) {
    FakeSamplers samplers;
    const Case c = Case::of(Operation::clone, Kind::net).with(Parameter::parallel, 2);
    const TakenBlock taken = take_block(samplers, c, kLeadIn, 3, 7ms);
    ASSERT_EQ(samplers.asked.size(), 1U);
    EXPECT_EQ(samplers.asked[0].c, c);
    EXPECT_EQ(samplers.asked[0].samples, kLeadIn + 3);
    EXPECT_EQ(samplers.asked[0].limit, 7ms);
    ASSERT_EQ(taken.samples.size(), 10U);
    for (std::size_t i = 0; i < taken.samples.size(); ++i) {
        EXPECT_EQ(taken.samples[i].is_lead_in, i % 5 < kLeadIn);
        EXPECT_EQ(taken.samples[i].sampler, i / 5);
        EXPECT_EQ(taken.samples[i].ended, static_cast<double>(5000 * (i % 5 + 1)));
        for (std::size_t phase = 0; phase < kPhases; ++phase)
            EXPECT_EQ(taken.samples[i].times[phase], static_cast<double>(fake_time(phase, i % 5)));
    }
    const auto exit = static_cast<std::size_t>(Phase::exit);
    const std::vector<double> own{static_cast<double>(fake_time(exit, 2)),
                                  static_cast<double>(fake_time(exit, 3)),
                                  static_cast<double>(fake_time(exit, 4))};
    std::vector<double> both = own;
    both.insert(both.end(), own.begin(), own.end());
    EXPECT_EQ(taken.counted(Phase::exit), both);
    EXPECT_FALSE(taken.failure);
    EXPECT_EQ(of(taken.pending, Kind::net), 10U);
    EXPECT_FALSE(taken.is_uncounted);
}

TEST(TakenBlock, KeepsAFailureApartFromTimes) {
    FakeSamplers samplers;
    samplers.answer = [](const Case& /*c*/, std::uint32_t samples) {
        return Samplers::Answer{
            {fake_records(samples, {protocol::Call::clone, ENOSPC}, 3), fake_records(samples)}, "so it was"};
    };
    const Case c = Case::of(Operation::clone, Kind::net | Kind::uts).with(Parameter::parallel, 2);
    const TakenBlock taken = take_block(samplers, c, kLeadIn, 3, 1s);
    EXPECT_EQ(taken.samples.size(), 3U + 5U);
    EXPECT_EQ(taken.counted(Phase::create).size(), 1U + 3U);
    ASSERT_TRUE(taken.failure);
    EXPECT_EQ(taken.failure->call, protocol::Call::clone);
    EXPECT_EQ(taken.failure->error, ENOSPC);
    EXPECT_EQ(taken.said, "so it was");
    EXPECT_EQ(of(taken.pending, Kind::net), 8U) << "one that failed leaves nothing";
    EXPECT_EQ(of(taken.pending, Kind::uts), 0U);
}

TEST(TakenBlock, InAUserNamespaceLeavesThatOfTheHolder) {
    FakeSamplers samplers;
    samplers.is_in_userns = true;
    const TakenBlock taken = take_block(samplers, Case::of(Operation::setns, Kind::net), kLeadIn, 3, 1s);
    EXPECT_EQ(of(taken.pending, Kind::net), 1U);
    EXPECT_EQ(of(taken.pending, Kind::user), 1U);
}

TEST(PendingTeardown, CountsWhatSamplesLeaveToTheWorkers) {
    const env::PendingTeardown cloned =
        pending_teardown(Case::of(Operation::clone, Kind::net | Kind::user | Kind::uts), 10, false);
    EXPECT_EQ(of(cloned, Kind::net), 10U);
    EXPECT_EQ(of(cloned, Kind::user), 10U);
    EXPECT_EQ(of(cloned, Kind::uts), 0U);
    EXPECT_EQ(of(pending_teardown(Case::of(Operation::clone, Kind::pid), 10, false), Kind::pid), 10U);
    // setns enters what one holder made.
    const env::PendingTeardown entered = pending_teardown(Case::of(Operation::setns, Kind::net), 10, true);
    EXPECT_EQ(of(entered, Kind::net), 1U);
    EXPECT_EQ(of(entered, Kind::user), 1U);
}

TEST(TakenBlock, OfConditionsThatAreRefusedNothingIsWaitedFor) {
    FakeSamplers samplers;
    int error = EPERM;
    samplers.answer = [&](const Case& /*c*/, std::uint32_t samples) {
        return Samplers::Answer{{fake_records(samples, {protocol::Call::set_netns, error}, 0)}, ""};
    };
    const Case c = Case::of(Operation::clone, {}).with(Parameter::netns, 50);
    const TakenBlock refused = take_block(samplers, c, kLeadIn, 3, 1s);
    EXPECT_EQ(refused.failure->error, EPERM);
    EXPECT_EQ(refused.of_conditions, 0U);
    EXPECT_FALSE(refused.is_uncounted);
    EXPECT_EQ(of(refused.pending, Kind::net), 0U);
    error = ENOSPC;
    const TakenBlock reached = take_block(samplers, c, kLeadIn, 3, 1s);
    EXPECT_EQ(reached.of_conditions, 50U);
    EXPECT_TRUE(reached.is_uncounted);
    EXPECT_EQ(of(reached.pending, Kind::net), 1U);
}

TEST(PendingTeardown, CountsWhatConditionsLeave) {
    const Case c = Case::of(Operation::clone, Kind::net)
                       .with(Parameter::netns, 100)
                       .with(Parameter::dying, 30)
                       .with(Parameter::pidns, 7);
    const env::PendingTeardown left = pending_teardown(c, 10, false);
    EXPECT_EQ(of(left, Kind::net), 140U);
    EXPECT_EQ(of(left, Kind::pid), 7U);
    EXPECT_EQ(of(left, Kind::user), 0U);
    // Nobody knows how many there were before the first that could not be made.
    EXPECT_EQ(of(pending_teardown(c, 0, false), Kind::net), 1U);
    EXPECT_EQ(of(pending_teardown(Case::of(Operation::clone, Kind::net), 0, false), Kind::net), 0U);
    // Those within one another may go in one item, or in that of the last sample.
    const Case nested = Case::of(Operation::clone, {}).with(Parameter::depth, 5);
    EXPECT_EQ(of(pending_teardown(nested, 10, false), Kind::user), 1U);
    EXPECT_EQ(of(pending_teardown(nested, 10, false), Kind::pid), 1U);
    Case of_users = nested;
    of_users.set = Kind::user;
    EXPECT_EQ(of(pending_teardown(of_users, 10, false), Kind::user), 10U);
    EXPECT_EQ(
        of(pending_teardown(Case::of(Operation::clone, {}).with(Parameter::mounts, 9), 10, false), Kind::net),
        0U);
}

TEST(PendingTeardown, CountsWhatABlockIsCarriedOutIn) {
    EXPECT_EQ(of(pending_teardown(Case::of(Operation::veth, Kind::net), 0, true), Kind::net), 0U)
        << "that could not be made";
    EXPECT_EQ(of(pending_teardown(Case::of(Operation::veth, Kind::net), 10, false), Kind::net), 11U);
    EXPECT_EQ(of(pending_teardown(Case::of(Operation::mount_ns, Kind::mnt), 10, false), Kind::user), 0U);
    EXPECT_EQ(
        of(pending_teardown(Case::of(Operation::mount_ns, Kind::mnt | Kind::user), 10, true), Kind::user),
        11U);
}

}  // namespace
}  // namespace nsb::run
