#include "core/round_scatter.h"

#include <gtest/gtest.h>

#include <cmath>

namespace nsb {
namespace {

constexpr std::int64_t kValues = 8;

/// Of rounds of that many values each.
SumScatter scatter_of(const std::vector<std::int64_t>& sums) {
    return RoundScatter(std::vector<std::int64_t>(sums.size(), kValues)).given(sums, 1);
}

/// Sums that alternate: rounds that differ by so much, without anything that lasts.
std::vector<std::int64_t> alternating(std::size_t rounds, std::int64_t by) {
    std::vector<std::int64_t> sums(rounds, by);
    for (std::size_t i = 1; i < rounds; i += 2) sums[i] = -by;
    return sums;
}

/// The limit over that of as many independent values.
double over_independent(const std::vector<std::int64_t>& sums) {
    return scatter_of(sums).limit() / (1.96 * std::sqrt(double(kValues) * double(sums.size())));
}

TEST(RoundScatter, HasALimitThatIsPassedInOneOfTwenty) {
    const SumScatter scatter = scatter_of({2, -4, 0, 6, 2, -2, -2, 4, 0, -6});
    EXPECT_NEAR(scatter.chance_beyond(scatter.limit()), 0.05, 1e-6);
    EXPECT_NEAR(scatter.chance_beyond(0), 1, 1e-12);
    EXPECT_DOUBLE_EQ(scatter.chance_beyond(-7), scatter.chance_beyond(7));
}

TEST(RoundScatter, IsNearlyThatOfIndependentValuesWhereRoundsDifferByNoMore) {
    // A sum of 8 independent signs has the variance 8.
    EXPECT_LT(over_independent(alternating(200, 2)), 1.2);
    EXPECT_GT(over_independent(alternating(200, 2)), 1);
    EXPECT_LT(over_independent(alternating(10, 2)), over_independent(alternating(10, 6)));
}

TEST(RoundScatter, IsNeverLessThanThatOfIndependentValues) {
    for (const std::size_t rounds : {6U, 16U, 17U, 100U})
        EXPECT_GT(over_independent(std::vector<std::int64_t>(rounds)), 0.999) << rounds;
}

TEST(RoundScatter, IsWiderWhereWhatRoundsHaveInCommonLasts) {
    std::vector<std::int64_t> lasting(100, 4);
    for (std::size_t i = 0; i < lasting.size(); ++i) lasting[i] = i % 20 < 10 ? 4 : -4;
    EXPECT_GT(over_independent(lasting), 2 * over_independent(alternating(100, 4)));
    EXPECT_GT(scatter_of(lasting).common(), scatter_of(alternating(100, 4)).common());
}

TEST(RoundScatter, IsANumberWhereAllValuesAreAlike) {
    const SumScatter scatter =
        RoundScatter(std::vector<std::int64_t>(12, kValues)).given(std::vector<std::int64_t>(12), 0);
    EXPECT_TRUE(std::isfinite(scatter.limit()));
    EXPECT_TRUE(std::isfinite(scatter.common()));
    EXPECT_DOUBLE_EQ(scatter.chance_beyond(0), 1);
}

TEST(RoundScatter, CountsOnlySignsThatAreNotTies) {
    // With a quarter of the signs half the limit, where sums are half as large too.
    const RoundScatter scatter(std::vector<std::int64_t>(12, kValues));
    EXPECT_NEAR(scatter.given(alternating(12, 2), 0.25).limit(),
                scatter.given(alternating(12, 4), 1).limit() / 2, 1e-6);
}

TEST(RoundScatter, TakesRoundsOfAnySize) {
    std::vector<std::int64_t> sizes(30, 4);
    sizes[7] = 400;  // nearly all values
    std::vector<std::int64_t> sums = alternating(30, 2);
    sums[7] = 20;
    const SumScatter scatter = RoundScatter(sizes).given(sums, 1);
    EXPECT_TRUE(std::isfinite(scatter.limit()));
    EXPECT_LT(scatter.common(), 1);
}

}  // namespace
}  // namespace nsb
