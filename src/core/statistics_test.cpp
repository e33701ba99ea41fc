#include "core/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace nsb {
namespace {

TEST(Quantile, IsLinearBetweenNeighbours) {
    const std::vector<double> values{1, 2, 3, 4};
    EXPECT_DOUBLE_EQ(quantile(values, 0), 1);
    EXPECT_DOUBLE_EQ(quantile(values, 0.5), 2.5);
    EXPECT_DOUBLE_EQ(quantile(values, 0.9), 3.7);
    EXPECT_DOUBLE_EQ(quantile(values, 1), 4);
    EXPECT_DOUBLE_EQ(quantile(std::vector<double>{7}, 0.99), 7);
}

TEST(MedianInterval, NeedsSixValues) {
    EXPECT_FALSE(median_interval({1, 2, 3, 4, 5}));
    const auto six = median_interval({6, 5, 4, 3, 2, 1});
    ASSERT_TRUE(six);
    EXPECT_DOUBLE_EQ(six->low, 1);
    EXPECT_DOUBLE_EQ(six->high, 6);
}

TEST(MedianInterval, LeavesOutWhatTheSignTestAllows) {
    // How many are left out on each side: the largest j with P(Binomial(n, 1/2) < j) <= 2.5%.
    for (const auto& [n, left_out] :
         std::vector<std::pair<int, int>>{{8, 0}, {9, 1}, {12, 2}, {20, 5}, {50, 17}}) {
        std::vector<double> values;
        for (int i = 0; i < n; ++i) values.push_back(i);
        const auto interval = median_interval(values);
        EXPECT_DOUBLE_EQ(interval->low, left_out) << n;
        EXPECT_DOUBLE_EQ(interval->high, n - 1 - left_out) << n;
    }
}

TEST(MedianInterval, HoldsTheMedianAsOftenAsItSays) {
    std::mt19937 random(1);
    std::lognormal_distribution<double> skewed(0, 1);  // its median is 1
    int held = 0;
    constexpr int kTrials = 2000;
    for (int trial = 0; trial < kTrials; ++trial) {
        std::vector<double> values(12);
        std::generate(values.begin(), values.end(), [&] { return skewed(random); });
        const auto interval = median_interval(values);
        held += interval->low <= 1 && 1 <= interval->high ? 1 : 0;
    }
    EXPECT_GT(held, kTrials * 0.945);
}

TEST(MedianError, IsThatOfIndependentNormalValues) {
    // Quartiles of -0.6745 and 0.6745 are those of a standard deviation of 1; the root of pi / 2 is 1.2533.
    std::vector<double> values{-9, -0.67449, -0.67449, 0, 0, 0.67449, 0.67449, 9e9};
    EXPECT_NEAR(*median_error(values), 1.2533 / std::sqrt(8), 1e-4);
    values.resize(kMinForInterval - 1);
    EXPECT_FALSE(median_error(values));
}

TEST(Describe, LabelsOutliersAndKeepsThem) {
    std::vector<double> values;
    for (int i = 1; i <= 20; ++i) values.push_back(100 + i);
    values.push_back(130);   // quartiles 106 and 117 or so: mild
    values.push_back(1000);  // severe
    const Figures f = describe(values, std::nullopt);
    EXPECT_EQ(f.samples, 22U);
    EXPECT_EQ(f.outliers_mild, 0U + (130 - 116.75 > 1.5 * 10.5 ? 1U : 0U));
    EXPECT_EQ(f.outliers_severe, 1U);
    EXPECT_DOUBLE_EQ(f.max, 1000);
    EXPECT_FALSE(f.ci);
    EXPECT_FALSE(f.precision);
}

TEST(Describe, WidensTheIntervalToHoldTheMedian) {
    const Figures f = describe({10, 10, 10, 10, 10, 10}, Interval{11, 13});
    ASSERT_TRUE(f.ci);
    EXPECT_DOUBLE_EQ(f.ci->low, 10);
    EXPECT_DOUBLE_EQ(f.ci->high, 13);
    EXPECT_DOUBLE_EQ(*f.precision, 0.15);
    EXPECT_DOUBLE_EQ(f.stddev, 0);
    EXPECT_EQ(f.outliers_severe, 0U);
}

}  // namespace
}  // namespace nsb
