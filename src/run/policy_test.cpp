#include "run/policy.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace nsb::run {
namespace {

/// What a run knows of unshare with some sets.
struct State {
    RunOptions options;
    Cases cases;
    std::vector<Series> series;
    std::vector<Looks> looks;
    std::uint32_t block = 5;

    explicit State(const std::vector<Case>& plan) : cases(Cases::of(plan, false, false)) {
        for (const Case& c : cases.all) series.push_back({c, {}, {}});
        looks.resize(series.size());
    }

    /// A round of a case has been measured: samples of each of its samplers, all of the same time.
    void measure(std::size_t i, std::uint32_t round, std::uint32_t samples, double time) {
        for (std::uint32_t n = 0; n < samples * cases.all[i].at_once(); ++n) {
            Sample& sample = series[i].samples.emplace_back(Sample{round, round, round > 0, {}});
            sample.times.fill(time);
        }
        looks[i].extend(series[i]);
        looks[i].look(series[i], {options.precision, {}, {}});
    }
    [[nodiscard]] PlannedRound plan(std::uint32_t round) const {
        return plan_round({options, cases, series, looks, block}, round);
    }
};

/// Counted samples that a round asks of a series; 0 where it has no block.
std::uint32_t asked(const PlannedRound& round, std::size_t series) {
    std::uint32_t samples = 0;
    for (const Group& group : round.groups) {
        for (const PlannedBlock& block : group) samples += block.series == series ? block.samples : 0;
    }
    return samples;
}

const Case kNone = Case::of(Operation::unshare, {});
const Case kUts = Case::of(Operation::unshare, Kind::uts);
const Case kMnt = Case::of(Operation::unshare, Kind::mnt);

TEST(Cases, AreThePlansAndTheirBases) {
    const Cases cases = Cases::of({kUts, kMnt, kUts}, false, false);
    EXPECT_EQ(cases.all, (std::vector{kUts, kMnt, kNone}));
    EXPECT_EQ(cases.planned, 2U);
    EXPECT_EQ(cases.base, (std::vector<std::optional<std::size_t>>{2, 2, std::nullopt}));
    const Cases alone = Cases::of({kUts}, false, true);
    EXPECT_EQ(alone.all, std::vector{kUts});
    EXPECT_EQ(alone.base, std::vector<std::optional<std::size_t>>{std::nullopt});
    EXPECT_EQ(Cases::of({kNone, kUts}, true, false).all,
              (std::vector{kNone, Case::of(Operation::unshare, Kind::uts | Kind::user)}));
}

TEST(Policy, WarmsUpWhatHasNoSamples) {
    State state({kUts, kMnt});
    PlannedRound warm_up = state.plan(0);
    EXPECT_EQ(warm_up.blocks, 3U);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(asked(warm_up, i), 1U);
    EXPECT_FALSE(warm_up.groups[0][0].counted);
    EXPECT_EQ(warm_up.groups[0][0].lead_in, state.options.lead_in);
    state.measure(0, 1, 5, 100);
    warm_up = state.plan(0);
    EXPECT_EQ(asked(warm_up, 0), 0U);
    EXPECT_EQ(asked(warm_up, 1), 1U);
    EXPECT_EQ(warm_up.cases_precise, 0U);
}

TEST(Policy, EndsAFixedNumberOfSamplesExactly) {
    State state({kUts});
    state.options.samples = 12;
    EXPECT_EQ(asked(state.plan(1), 0), 5U);
    state.measure(0, 0, 50, 100);
    EXPECT_EQ(asked(state.plan(1), 0), 5U) << "the warm-up does not count";
    state.measure(0, 1, 5, 100);
    state.measure(0, 2, 5, 200);
    EXPECT_EQ(asked(state.plan(3), 0), 2U);
    EXPECT_EQ(state.plan(3).cases_precise, 0U);
    state.measure(0, 3, 2, 300);
    EXPECT_EQ(state.plan(4).blocks, 0U);
    EXPECT_EQ(state.plan(4).cases_precise, 1U);
}

TEST(Policy, CountsTheSamplesOfOneOfSeveralSamplers) {
    State state({kUts.with(Parameter::parallel, 4)});
    state.options.samples = 8;
    state.measure(0, 1, 5, 100);
    EXPECT_EQ(asked(state.plan(2), 0), 3U);
    state.measure(0, 2, 3, 100);
    EXPECT_EQ(state.plan(3).blocks, 0U);
}

TEST(Policy, GoesOnUntilACaseIsPreciseOverEnoughRounds) {
    State state({kUts, kMnt});
    for (std::uint32_t round = 1; round < kMinRounds; ++round) state.measure(0, round, 5, 100);
    EXPECT_EQ(asked(state.plan(kMinRounds), 0), state.block) << "precise, and in too few rounds";
    state.measure(0, kMinRounds, 5, 100);
    for (std::uint32_t round = 1; round <= kMinRounds; ++round)
        state.measure(1, round, 5, round % 2 == 0 ? 100 : 200);
    const PlannedRound next = state.plan(kMinRounds + 1);
    EXPECT_EQ(asked(next, 0), 0U);
    EXPECT_EQ(asked(next, 1), state.block) << "its rounds differ";
    EXPECT_EQ(asked(next, 2), state.block) << "the base goes with it";
    EXPECT_EQ(next.cases_precise, 1U);
}

TEST(Policy, LeavesOutWhatHasFailedAndWhatNeedsNoBase) {
    State state({kUts});
    state.series[0].failure = protocol::Failure{protocol::Call::unshare, EPERM};
    for (const std::uint32_t round : {0U, 1U}) {
        EXPECT_EQ(state.plan(round).blocks, 0U);
        EXPECT_EQ(state.plan(round).cases_precise, 0U);
    }
}

TEST(Policy, OrdersARoundBySeedAndRoundAlone) {
    std::vector<Case> plan;
    for (int bits = 0; bits < KindSet::kCount; ++bits)
        plan.push_back(Case::of(Operation::unshare, KindSet(static_cast<std::uint8_t>(bits))));
    State state(plan);
    const auto order = [&](std::uint32_t round) {
        std::vector<std::size_t> series;
        for (const Group& group : state.plan(round).groups) {
            for (const PlannedBlock& block : group) series.push_back(block.series);
        }
        return series;
    };
    const auto first = order(1);
    EXPECT_EQ(order(1), first);
    EXPECT_NE(order(2), first);
    state.options.seed = 1;
    EXPECT_NE(order(1), first);
}

TEST(BlockSize, IsAsAskedOrATenthOfAFixedNumber) {
    RunOptions options;
    options.samples = 200;
    EXPECT_EQ(choose_block_size(options, 1, 60), 20U);
    options.samples = 3;
    EXPECT_EQ(choose_block_size(options, 1, 60), 1U);
    options.block = 7;
    EXPECT_EQ(choose_block_size(options, 1, 60), 7U);
}

TEST(BlockSize, LaysOutRoundsForTheTime) {
    RunOptions options;
    options.lead_in = 2;
    // A warm-up of 3 s is one of each in 1 s: 25 rounds of 8 counted ones and the lead-in take 250 s.
    EXPECT_EQ(choose_block_size(options, 3, 250), 8U);
    EXPECT_EQ(choose_block_size(options, 3, 25), 2U) << "never less";
    EXPECT_EQ(choose_block_size(options, 3, 1e6), 16U) << "more rounds rather than longer ones";
    EXPECT_EQ(choose_block_size(options, 3e-3, 1e6), 250U)
        << "a round of few cases lasts a quarter of a second";
    EXPECT_EQ(choose_block_size(options, 0, 1e6), 1000U) << "never more";
}

TEST(SecondsLeft, OfAFixedNumberAreThoseOfTheRoundsToCome) {
    EXPECT_DOUBLE_EQ(seconds_left_of_fixed(100, 10, 4, 8), 12);
    EXPECT_DOUBLE_EQ(seconds_left_of_fixed(101, 10, 5.5, 11), 11);
    EXPECT_DOUBLE_EQ(seconds_left_of_fixed(100, 10, 20, 8), 0);
}

}  // namespace
}  // namespace nsb::run
