#include "core/histogram.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "core/statistics.h"

namespace nsb {
namespace {

TEST(HistogramTest, HasNothingToSayOfNothing) {
    const Histogram empty;
    EXPECT_EQ(empty.quantile(0.5), std::nullopt);
    EXPECT_EQ(latencies_of(empty).count, 0U);
}

TEST(HistogramTest, SmallValuesAreExact) {
    Histogram histogram;
    for (std::uint64_t value = 0; value < 256; ++value) histogram.add(value);
    EXPECT_EQ(histogram.quantile(0), 0U);
    EXPECT_EQ(histogram.quantile(0.5), 127U);
    EXPECT_EQ(histogram.quantile(1), 255U);
}

TEST(HistogramTest, NoValueIsToldTooSmallNorMoreThanOneIn128TooLarge) {
    for (unsigned power = 8; power < 64; ++power) {
        for (const std::uint64_t offset : {0ULL, 1ULL, 3ULL}) {
            const std::uint64_t value = (1ULL << power) + (offset << (power - 2));
            Histogram histogram;
            histogram.add(value);
            histogram.add(std::numeric_limits<std::uint64_t>::max());
            const std::uint64_t told = *histogram.quantile(0.5);
            EXPECT_GE(told, value);
            EXPECT_LE(static_cast<double>(told - value), static_cast<double>(value) / 128) << value;
        }
    }
}

TEST(HistogramTest, TheLargestValueOfAllHasAPlace) {
    Histogram histogram;
    histogram.add(std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(histogram.quantile(0.5), std::numeric_limits<std::uint64_t>::max());
}

TEST(HistogramTest, QuantilesAreThoseOfTheValues) {
    std::mt19937_64 generator(1);  // NOLINT(cert-msc51-cpp): the same each time
    std::lognormal_distribution<double> times(12, 1.5);
    Histogram histogram;
    std::vector<std::uint64_t> values;
    for (int i = 0; i < 20000; ++i) {
        values.push_back(static_cast<std::uint64_t>(times(generator)));
        histogram.add(values.back());
    }
    const Latencies exact = latencies_of(values);
    const Latencies told = latencies_of(histogram);
    const auto is_near = [](std::uint64_t a, std::uint64_t b) {
        EXPECT_GE(a, b);
        EXPECT_LE(static_cast<double>(a), static_cast<double>(b) * (1 + 1.0 / 128));
    };
    is_near(told.p50, exact.p50);
    is_near(told.p90, exact.p90);
    is_near(told.p99, exact.p99);
    is_near(told.p999, exact.p999);
    EXPECT_EQ(told.max, exact.max);
    EXPECT_EQ(told.count, exact.count);
}

TEST(HistogramTest, OneAddedToAnotherIsBoth) {
    Histogram one;
    Histogram other;
    Histogram both;
    for (std::uint64_t value = 1; value < 100000; value += 7) {
        (value % 2 == 0 ? one : other).add(value);
        both.add(value);
    }
    one.add(other);
    EXPECT_EQ(one.count(), both.count());
    EXPECT_EQ(one.quantile(0.9), both.quantile(0.9));
    one.clear();
    EXPECT_EQ(one.count(), 0U);
    EXPECT_EQ(one.max(), 0U);
}

TEST(HistogramTest, AStallInOneOfAHundredIsBeyondThe99thPercentileAndInTwoIsNot) {
    Histogram histogram;
    for (int i = 0; i < 99; ++i) histogram.add(1000);
    histogram.add(100'000'000);
    EXPECT_LE(*histogram.quantile(0.99), 1007U);
    EXPECT_EQ(histogram.max(), 100'000'000U);
    histogram.add(100'000'000);
    EXPECT_EQ(*histogram.quantile(0.99), 100'000'000U);
}

TEST(LatenciesTest, FewTimesAreToldExactly) {
    const Latencies few = latencies_of({30, 10, 20});
    EXPECT_EQ(few.p50, 20U);
    EXPECT_EQ(few.p99, 30U);
    EXPECT_EQ(few.max, 30U);
    EXPECT_EQ(few.count, 3U);
    EXPECT_EQ(latencies_of(std::vector<std::uint64_t>{}).count, 0U);
}

}  // namespace
}  // namespace nsb
