#include "core/repeats.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nsb {
namespace {

const Case kCase = Case::of(Operation::clone, Kind::pid);

/// A row of one repeat: a median, and an interval of its rounds with that half width; its standard error is
/// half of that.
Row row_of(double median, double half = 1) {
    Row row;
    row.measured = kCase;
    row.phase = Phase::create;
    row.figures = Figures{.samples = 10,
                          .median = median,
                          .ci = Interval{median - half, median + half},
                          .precision = half / median,
                          .min = median - 5,
                          .mean = median,
                          .stddev = 2,
                          .p90 = median + 5,
                          .p99 = median + 8,
                          .max = median + 9,
                          .outliers_mild = 1,
                          .outliers_severe = 2,
                          .error = half / 2};
    return row;
}

/// What rows of these medians come to.
Row combined(const std::vector<double>& medians, double half = 1, double target = 0.02) {
    std::vector<std::vector<Row>> repeats;
    for (const double median : medians) repeats.push_back({row_of(median, half)});
    return combine_repeats(repeats, target).front();
}

TEST(MeanInterval, IsStudents) {
    const auto two = mean_interval(std::vector<double>{9, 11});
    // t of one degree of freedom is 12.706; the standard error is 1.
    EXPECT_NEAR(two->low, 10 - 12.706, 1e-3);
    EXPECT_NEAR(two->high, 10 + 12.706, 1e-3);
    const auto five = mean_interval(std::vector<double>{8, 9, 10, 11, 12});
    EXPECT_NEAR(five->high, 10 + 2.776 * std::sqrt(2.5 / 5), 1e-3);
    EXPECT_FALSE(mean_interval(std::vector<double>{9}));
    const auto same = mean_interval(std::vector<double>{7, 7, 7});
    EXPECT_DOUBLE_EQ(same->low, 7);
    EXPECT_DOUBLE_EQ(same->high, 7);
}

TEST(MeanInterval, ReachesLessFarTheMoreValuesThereAre) {
    EXPECT_NEAR(reach_of(2), 8.98, 0.01);
    EXPECT_NEAR(reach_of(3), 2.48, 0.01);
    EXPECT_NEAR(reach_of(5), 1.24, 0.01);
}

TEST(CombineRepeats, TakesTheMedianOfMediansAndWhatAllSamplesSay) {
    const Row row = combined({100, 130, 110});
    const Figures& figures = *row.figures;
    EXPECT_EQ(row.repeats, 3U);
    EXPECT_EQ(figures.samples, 30U);
    EXPECT_DOUBLE_EQ(figures.median, 110);
    EXPECT_DOUBLE_EQ(figures.min, 95);
    EXPECT_DOUBLE_EQ(figures.max, 139);
    EXPECT_DOUBLE_EQ(figures.p90, 115);
    EXPECT_DOUBLE_EQ(figures.p99, 118);
    EXPECT_EQ(figures.outliers_mild, 3U);
    EXPECT_EQ(figures.outliers_severe, 6U);
    EXPECT_NEAR(figures.mean, 113.333, 1e-3);
    // 30 samples: each ten with squares of 9 * 4 around their mean, and the means' own distances.
    const double squares =
        3 * 9 * 4 + 10 * (std::pow(13.3333, 2) + std::pow(16.6667, 2) + std::pow(3.3333, 2));
    EXPECT_NEAR(figures.stddev, std::sqrt(squares / 29), 1e-3);
}

TEST(CombineRepeats, TheStandardDeviationIsThatOfTheSamplesThemselves) {
    const std::vector<std::vector<double>> samples{{1, 2, 6}, {3, 4}, {10, 20, 30, 50}};
    std::vector<double> all;
    std::vector<std::vector<Row>> repeats;
    for (const std::vector<double>& own : samples) {
        all.insert(all.end(), own.begin(), own.end());
        Row row = row_of(1);
        row.figures = describe(own, std::nullopt);
        repeats.push_back({row});
    }
    const Figures whole = describe(all, std::nullopt);
    const Row row = combine_repeats(repeats, 0.02).front();
    EXPECT_NEAR(row.figures->mean, whole.mean, 1e-9);
    EXPECT_NEAR(row.figures->stddev, whole.stddev, 1e-9);
}

TEST(CombineRepeats, ATimesIntervalStaysAboveZero) {
    const Row row = combined({100, 120});
    ASSERT_TRUE(row.figures->ci);
    EXPECT_GT(row.figures->ci->low, 0);
    EXPECT_LT(row.figures->ci->low, 50);
    EXPECT_GT(row.figures->ci->high, 200);
    EXPECT_EQ(row.status, Status::imprecise);
    // Of a few percent the logarithm changes nothing.
    const Row close = combined({99, 100, 101});
    EXPECT_NEAR(close.figures->ci->high, 100 + 2.48, 0.05);
    EXPECT_NEAR(close.figures->ci->low, 100 - 2.48, 0.05);
}

TEST(CombineRepeats, AnIntervalThatNoReaderTakesIsNone) {
    const Row row = combined({1e4, 1e8});
    EXPECT_FALSE(row.figures->ci);
    EXPECT_FALSE(row.figures->precision);
    EXPECT_EQ(row.status, Status::imprecise);
    EXPECT_EQ(row.reason, "the repeats lie too far apart for an interval");
}

TEST(CombineRepeats, AnIntervalHoldsWhatItIsAbout) {
    std::vector<double> medians(40, 100);
    for (std::size_t i = 0; i < 19; ++i) medians[i] = 200;
    const Row row = combined(medians);
    EXPECT_DOUBLE_EQ(row.figures->median, 100);
    EXPECT_LE(row.figures->ci->low, 100);
}

TEST(CombineRepeats, TakesZeroAsItIs) {
    const Row row = combined({0, 0, 1});
    ASSERT_TRUE(row.figures->ci);
    EXPECT_LT(row.figures->ci->low, 0);
    EXPECT_FALSE(row.figures->precision);
    EXPECT_EQ(row.reason, "a median of 0 has no relative precision");
}

TEST(CombineRepeats, OneRepeatIsKeptAsItIs) {
    const Row row = combined({100}, 3);
    EXPECT_EQ(row.repeats, 1U);
    EXPECT_DOUBLE_EQ(row.figures->ci->high, 103);
    EXPECT_FALSE(row.scatter);
}

TEST(CombineRepeats, DeltasMayBeBelowZero) {
    std::vector<std::vector<Row>> repeats;
    for (const double delta : {-3.0, -1.0, 4.0}) {
        repeats.push_back({row_of(100)});
        repeats.back().front().delta = Delta{delta, Interval{delta - 1, delta + 1}, std::nullopt,
                                             Case::of(Operation::clone, Kind::user)};
    }
    const Row row = combine_repeats(repeats, 0.02).front();
    EXPECT_DOUBLE_EQ(row.delta->value, -1);
    EXPECT_EQ(row.delta->base, Case::of(Operation::clone, Kind::user));
    EXPECT_NEAR(row.delta->ci->low, -2.48 * std::sqrt(13), 0.02);  // the mean is 0
    EXPECT_NEAR(row.delta->ci->high, 2.48 * std::sqrt(13), 0.02);
}

TEST(CombineRepeats, StatusIsThatOfTheIntervalBetweenThem) {
    EXPECT_EQ(combined({100, 100.1, 100.2}).status, Status::ok);
    const Row row = combined({90, 100, 110});
    EXPECT_EQ(row.status, Status::imprecise);
    EXPECT_EQ(row.reason, "25.1% reached of 2%, between repeats");
}

TEST(CombineRepeats, AFailureInOneIsOne) {
    Row failed;
    failed.measured = kCase;
    failed.phase = Phase::create;
    failed.status = Status::failed;
    failed.error = "EIO";
    failed.reason = "clone: Input/output error";
    const Row row =
        combine_repeats(std::vector<std::vector<Row>>{{row_of(100)}, {failed}, {row_of(101)}}, 0.02).front();
    EXPECT_EQ(row.status, Status::failed);
    EXPECT_FALSE(row.figures);
    EXPECT_EQ(row.error, "EIO");
    EXPECT_EQ(row.reason, "in one of 3 repeats: clone: Input/output error");
}

TEST(CombineRepeats, WhatSomeCouldNotHaveIsOfTheOthers) {
    Row skipped;
    skipped.measured = kCase;
    skipped.phase = Phase::create;
    skipped.status = Status::skipped;
    skipped.error = "ETIMEDOUT";
    skipped.reason = "not seen";
    const auto of = [&](const std::vector<std::vector<Row>>& repeats) {
        return combine_repeats(repeats, 0.02).front();
    };
    const Row two = of({{skipped}, {row_of(100)}, {row_of(100.5)}});
    EXPECT_EQ(two.repeats, 2U);
    EXPECT_TRUE(two.figures);
    EXPECT_EQ(two.error, "");
    const Row one = of({{skipped}, {row_of(100)}});
    EXPECT_EQ(one.repeats, 1U);
    EXPECT_EQ(one.status, Status::imprecise);
    EXPECT_EQ(one.reason, "an interval needs 2 repeats, there was 1");
    const Row none = of({{skipped}, {skipped}});
    EXPECT_EQ(none.status, Status::skipped);
    EXPECT_EQ(none.reason, "not seen");
    EXPECT_EQ(none.repeats, 0U);
}

TEST(Scatter, IsBetweenWhereRepeatsAddMoreThanTheirRoundsDo) {
    const Row apart = combined({98, 100, 102}, 2);
    EXPECT_NEAR(*apart.scatter, 2, 1e-6);
    EXPECT_EQ(ruling(*apart.scatter), Ruling::between);
    const Row close = combined({99, 100, 101}, 2);
    EXPECT_NEAR(*close.scatter, 1, 1e-6);
    EXPECT_EQ(ruling(*close.scatter), Ruling::within);
    EXPECT_EQ(ruling(1.41), Ruling::within);
    EXPECT_EQ(ruling(1.42), Ruling::between);
}

TEST(Scatter, IsUnknownWhereRoundsWereTooFewOrNothingScatters) {
    std::vector<std::vector<Row>> repeats{{row_of(100)}, {row_of(104)}};
    repeats.back().front().figures->error.reset();
    EXPECT_FALSE(combine_repeats(repeats, 0.02).front().scatter);
    EXPECT_FALSE(combined({100, 100}, 0).scatter);
    EXPECT_EQ(ruling(*combined({100, 101}, 0).scatter), Ruling::between);
}

TEST(Scatter, IsCounted) {
    std::vector<Row> rows{combined({98, 100, 102}, 2), combined({99, 100, 101}, 2),
                          combined({96, 100, 104}, 2), combined({100, 100}, 0), combined({100})};
    const RulingCount count = count_ruling(rows);
    EXPECT_EQ(count.between, 2U);
    EXPECT_EQ(count.within, 1U);
    EXPECT_EQ(count.unknown, 1U);
    EXPECT_NEAR(*count.typical, 2, 1e-6);
    EXPECT_FALSE(count_ruling({}).typical);
}

}  // namespace
}  // namespace nsb
