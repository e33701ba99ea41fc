#include "run/policy.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cmath>

#include "core/test_samples.h"
#include "run/block_shape.h"

namespace nsb::run {
namespace {

/// What a run knows of unshare with some sets.
struct State {
    RunOptions options;
    Cases cases;
    std::vector<Series> series;
    std::vector<Looks> looks;
    bool headlines_first = false;

    explicit State(const std::vector<Case>& plan) : cases(Cases::of(plan, false, false)) {
        for (const Case& c : cases.all) series.push_back({c, {}, {}});
        looks.resize(series.size());
        options.block = 5;
    }

    /// A round of a case has been measured: samples of each of its samplers, all of the same time.
    void measure(std::size_t i, std::uint32_t round, std::uint32_t samples, double time) {
        for (std::uint32_t n = 0; n < samples * cases.all[i].at_once(); ++n) {
            series[i].samples.push_back(alike({round, round, round > 0}, time));
        }
        looks[i].extend(series[i]);
        looks[i].look(series[i], {options.precision, {}, {}});
    }
    [[nodiscard]] Knowledge known() const { return {options, cases, series, looks, headlines_first}; }
    [[nodiscard]] PlannedRound plan(std::uint32_t round) const { return plan_round(known(), round); }
    /// As many as a round has blocks of each of `cases` cases, of 5 samples.
    [[nodiscard]] std::uint32_t whole_round() const { return 5 * blocks_in_round(cases.planned, options); }
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
const Case kNet = Case::of(Operation::unshare, Kind::net);

TEST(Cases, AreThePlansAndTheirBases) {
    const Cases cases = Cases::of({kUts, kMnt, kUts}, false, false);
    EXPECT_EQ(cases.all, (std::vector{kUts, kMnt, kNone}));
    EXPECT_EQ(cases.planned, 2U);
    EXPECT_EQ(cases.base, (std::vector<std::optional<std::size_t>>{2, 2, std::nullopt}));
    const Cases alone = Cases::of({kUts}, false, true);
    EXPECT_EQ(alone.all, std::vector{kUts});
    EXPECT_EQ(alone.base, std::vector<std::optional<std::size_t>>{std::nullopt});
    EXPECT_EQ(Cases::of({kNone, kUts}, true, false).all,
              (std::vector{kNone, Case::of(Operation::unshare, Kind::uts | Kind::user),
                           Case::of(Operation::unshare, Kind::user)}));
    // A run that was begun by an earlier nsbench goes on with its own base.
    const Cases earlier = Cases::of({kUts}, true, false, KindSet{});
    EXPECT_EQ(earlier.all, (std::vector{Case::of(Operation::unshare, Kind::uts | Kind::user), kNone}));
    EXPECT_EQ(earlier.base, (std::vector<std::optional<std::size_t>>{1, std::nullopt}));
}

TEST(Policy, WarmsUpWhatHasNoSamples) {
    State state({kUts, kMnt});
    PlannedRound warm_up = state.plan(0);
    EXPECT_EQ(warm_up.blocks, 3U);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(asked(warm_up, i), 1U);
    EXPECT_FALSE(warm_up.groups[0][0].counted);
    EXPECT_EQ(warm_up.groups[0][0].lead_in, 1U);
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
    EXPECT_EQ(asked(state.plan(kMinRounds), 0), state.whole_round()) << "precise, and in too few rounds";
    state.measure(0, kMinRounds, 5, 100);
    for (std::uint32_t round = 1; round <= kMinRounds; ++round)
        state.measure(1, round, 5, round % 2 == 0 ? 100 : 200);
    const PlannedRound next = state.plan(kMinRounds + 1);
    EXPECT_EQ(asked(next, 0), 0U);
    EXPECT_EQ(asked(next, 1), state.whole_round()) << "its rounds differ";
    EXPECT_EQ(asked(next, 2), 2 * state.whole_round()) << "the base goes with it, as often as for both";
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

TEST(Policy, PlansTheSameBlocksWhateverIsStillOpen) {
    State state({kNone, kUts, kMnt, kNet, Case::of(Operation::unshare, Kind::ipc)});
    state.options.block.reset();
    const PlannedRound all = state.plan(1);
    for (std::uint32_t round = 1; round <= kMinRounds; ++round) state.measure(1, round, 16, 100);
    state.series[3].failure = protocol::Failure{protocol::Call::unshare, ENOSPC};
    const PlannedRound fewer = state.plan(kMinRounds + 1);
    for (const std::size_t open : {0U, 2U, 4U}) EXPECT_EQ(asked(fewer, open), asked(all, open));
    const auto samples = [](BlockClass of) { return shape_of(of, {}).samples; };
    EXPECT_EQ(asked(all, 2), 4 * samples(BlockClass::none));
    EXPECT_EQ(asked(all, 3), 4 * samples(BlockClass::net));
    EXPECT_EQ(asked(all, 4), 4 * samples(BlockClass::light));
    EXPECT_EQ(asked(all, 0), 2 * 4 * samples(BlockClass::none)) << "for four cases";
}

TEST(Policy, BeginsWithTheHeadlinesUntilTheyArePrecise) {
    const Case pair = Case::of(Operation::unshare, Kind::uts | Kind::net);
    State state({kUts, pair});
    const PlannedRound all = state.plan(1);
    state.headlines_first = true;
    EXPECT_EQ(asked(state.plan(0), 1), 1U) << "all are warmed up";
    const PlannedRound first = state.plan(1);
    EXPECT_TRUE(first.is_of_headlines);
    EXPECT_EQ(asked(first, 0), asked(all, 0));
    EXPECT_EQ(asked(first, 1), 0U);
    EXPECT_EQ(asked(first, 2), asked(all, 2)) << "the base has its blocks as ever";
    EXPECT_EQ(first.cases_open, 1U);
    for (std::uint32_t round = 1; round <= kMinRounds; ++round) state.measure(0, round, 5, 100);
    const PlannedRound then = state.plan(kMinRounds + 1);
    EXPECT_FALSE(then.is_of_headlines);
    EXPECT_EQ(asked(then, 0), 0U);
    EXPECT_EQ(asked(then, 1), asked(all, 1));
}

TEST(Policy, GivesTheOthersTheirTurnAfterManyRoundsOfHeadlines) {
    State state({kUts, Case::of(Operation::unshare, Kind::uts | Kind::net)});
    state.headlines_first = true;
    std::uint32_t round = 1;
    for (; state.plan(round).is_of_headlines; ++round) {
        ASSERT_LE(round, 64U);
        state.measure(0, round, 5, round % 2 == 0 ? 100 : 200);
    }
    EXPECT_EQ(round, 65U);
    EXPECT_GT(asked(state.plan(round), 0), 0U) << "it is not precise";
    EXPECT_GT(asked(state.plan(round), 1), 0U);
}

TEST(Policy, HasNoHeadlinesWhereAllAre) {
    State state({kNone, kUts, kMnt});
    state.headlines_first = true;
    EXPECT_FALSE(state.plan(1).is_of_headlines);
    EXPECT_EQ(state.plan(1).cases_open, 3U);
}

TEST(Policy, CountsCasesThatArePreciseAlsoWhereTheyWait) {
    const Case pair = Case::of(Operation::unshare, Kind::uts | Kind::net);
    State state({kUts, pair});
    for (std::uint32_t round = 1; round <= kMinRounds; ++round) state.measure(1, round, 5, 100);
    state.headlines_first = true;
    EXPECT_EQ(state.plan(kMinRounds + 1).cases_precise, 1U);
}

TEST(RunOptions, BeginWithTheHeadlinesOnlyInTheDefaultPlan) {
    RunOptions options;
    EXPECT_TRUE(options.begins_with_headlines());
    for (const Extent extent : {Extent::quick, Extent::full}) {
        options.selection.extent = extent;
        EXPECT_FALSE(options.begins_with_headlines());
    }
    options.selection.extent = Extent::usual;
    options.clock = TickClock::instructions;
    EXPECT_FALSE(options.begins_with_headlines());
    options.clock = TickClock::wall;
    options.samples = 10;
    EXPECT_FALSE(options.begins_with_headlines());
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

TEST(BlocksLeft, OfAFixedNumberAreThoseOfEachClass) {
    State state({kUts, kNet});
    state.options.samples = 1000;
    state.options.block.reset();
    const double of_none = std::ceil(1000.0 / shape_of(BlockClass::none, {}).samples);
    const double of_net = std::ceil(1000.0 / shape_of(BlockClass::net, {}).samples);
    EXPECT_DOUBLE_EQ(blocks_left_of_fixed(state.known()), of_none + of_net);
    state.measure(0, 1, shape_of(BlockClass::none, {}).samples, 100);
    state.series[1].failure = protocol::Failure{protocol::Call::unshare, EPERM};
    EXPECT_DOUBLE_EQ(blocks_left_of_fixed(state.known()), of_none - 1);
}

}  // namespace
}  // namespace nsb::run
