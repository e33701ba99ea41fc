#include "core/disturbance.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/series.h"
#include "core/test_samples.h"

namespace nsb {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

RoundMarks quiet() {
    RoundMarks marks;
    marks.duration = kSecond;
    marks.steal = 0;
    marks.others = 0;
    marks.kernel_threads = 200'000;
    marks.waited = 0;
    marks.switches = 1000;
    marks.frequency = 2'600'000;
    marks.throttles = 0;
    marks.suspended = 0;
    marks.moved = 0;
    return marks;
}

Disturber labelled(const RoundMarks& marks) {
    std::vector<RoundMarks> rounds{quiet(), marks, quiet()};
    label(rounds);
    EXPECT_EQ(rounds[0].disturbed, Disturber::nothing);
    EXPECT_EQ(rounds[2].disturbed, Disturber::nothing);
    return rounds[1].disturbed;
}

TEST(Disturbance, IsNoneWhereNothingElseRan) {
    EXPECT_EQ(labelled(quiet()), Disturber::nothing);
}

TEST(Disturbance, IsNoneWhereNothingIsKnown) {
    RoundMarks marks;
    marks.duration = kSecond;
    EXPECT_EQ(labelled(marks), Disturber::nothing);
}

TEST(Disturbance, BeginsAboveItsShareOfTheRound) {
    const DisturbanceRule rule = kDisturbanceRule;
    const auto with = [](auto member, double value) {
        RoundMarks marks = quiet();
        marks.*member = static_cast<std::int64_t>(value);
        return labelled(marks);
    };
    EXPECT_EQ(with(&RoundMarks::steal, rule.steal * kSecond), Disturber::nothing);
    EXPECT_EQ(with(&RoundMarks::steal, rule.steal * kSecond + 1), Disturber::steal);
    EXPECT_EQ(with(&RoundMarks::others, rule.others * kSecond), Disturber::nothing);
    EXPECT_EQ(with(&RoundMarks::others, rule.others * kSecond + 1), Disturber::other_tasks);
    EXPECT_EQ(with(&RoundMarks::waited, rule.waited * kSecond), Disturber::nothing);
    EXPECT_EQ(with(&RoundMarks::waited, rule.waited * kSecond + 1), Disturber::other_tasks);
    EXPECT_EQ(with(&RoundMarks::frequency, 2'600'000 * (1 - rule.frequency)), Disturber::nothing);
    EXPECT_EQ(with(&RoundMarks::frequency, 2'600'000 * (1 - rule.frequency) - 1), Disturber::frequency);
    EXPECT_EQ(with(&RoundMarks::throttles, 1), Disturber::throttling);
    EXPECT_EQ(with(&RoundMarks::moved, 1), Disturber::moved);
    EXPECT_EQ(with(&RoundMarks::suspended, 1), Disturber::suspension);
}

TEST(Disturbance, IsNotToldByLessThanTheKernelsClockCounts) {
    RoundMarks marks = quiet();
    marks.duration = kSecond / 100;
    marks.steal = kDisturbanceRule.least_steal - 1;
    marks.others = kDisturbanceRule.least_others - 1;
    EXPECT_EQ(labelled(marks), Disturber::nothing);
    marks.others = kDisturbanceRule.least_others;
    EXPECT_EQ(labelled(marks), Disturber::other_tasks);
    marks.steal = kDisturbanceRule.least_steal;
    EXPECT_EQ(labelled(marks), Disturber::steal);
}

TEST(Disturbance, IsTheFirstThatApplies) {
    RoundMarks marks = quiet();
    marks.steal = marks.others = kSecond / 2;
    marks.frequency = 1;
    EXPECT_EQ(labelled(marks), Disturber::steal);
    marks.throttles = 3;
    EXPECT_EQ(labelled(marks), Disturber::throttling);
}

TEST(Disturbance, IsCountedByItsName) {
    std::vector<RoundMarks> rounds(4, quiet());
    for (std::uint32_t i = 0; i < rounds.size(); ++i) rounds[i].round = i + 1;
    rounds[1].others = rounds[3].others = kSecond;
    rounds[2].steal = kSecond;
    label(rounds);
    EXPECT_EQ(count_by_disturber(rounds),
              (std::map<std::string_view, std::size_t>{{"other tasks", 2}, {"steal", 1}}));
    EXPECT_EQ(disturbed_rounds(rounds), (std::set<std::uint32_t>{2, 3, 4}));
}

/// Two samples in each of `rounds` rounds behind a warm-up: ten times as long in those that are disturbed.
Series series_of(std::uint32_t rounds, const std::set<std::uint32_t>& disturbed) {
    Series series{Case::of(Operation::unshare, Kind::uts), {}, {}};
    for (std::uint32_t round = 0; round <= rounds; ++round) {
        const double time = disturbed.contains(round) ? 1000 : 100;
        for (int i = 0; i < 2; ++i) series.samples.push_back(alike({round, round + 1, round > 0}, time));
    }
    return series;
}

TEST(Disturbance, LeavesNoSampleOfItsRoundsInTheFigures) {
    const std::set<std::uint32_t> disturbed{2, 3, 5, 6, 8, 9, 10};
    const std::vector<Series> series{series_of(13, disturbed)};
    RowContext context;
    EXPECT_EQ(rows_of(series, 1, context).front().figures->median, 1000);
    EXPECT_EQ(rows_of(series, 1, context).front().figures->samples, 26U);
    context.left_out = disturbed;
    EXPECT_EQ(rows_of(series, 1, context).front().figures->median, 100);
    EXPECT_EQ(rows_of(series, 1, context).front().figures->max, 100);
    EXPECT_EQ(rows_of(series, 1, context).front().figures->samples, 12U);
    EXPECT_TRUE(kept_whole(series, disturbed).empty());
}

TEST(Disturbance, LeavesACaseWholeThatWouldHaveTooFewRounds) {
    const std::set<std::uint32_t> disturbed{1, 2, 3};
    const std::vector<Series> series{series_of(8, disturbed), series_of(9, disturbed),
                                     series_of(2, disturbed)};
    EXPECT_EQ(without_rounds(series[0], disturbed).counted(Phase::create).size(), 16U);
    EXPECT_EQ(without_rounds(series[1], disturbed).counted(Phase::create).size(), 12U);
    EXPECT_EQ(without_rounds(series[2], disturbed).counted(Phase::create).size(), 4U);
    EXPECT_EQ(kept_whole(series, disturbed).size(), 2U);
    EXPECT_TRUE(kept_whole(series, {}).empty());
    EXPECT_TRUE(kept_whole(series, {99}).empty());
}

}  // namespace
}  // namespace nsb
