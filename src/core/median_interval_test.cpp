#include "core/median_interval.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace nsb {
namespace {

using Rounds = std::vector<std::vector<double>>;

std::optional<Interval> interval_of(const Rounds& rounds) {
    std::vector<OfRound> values;
    for (std::size_t round = 0; round < rounds.size(); ++round) {
        for (const double value : rounds[round]) values.push_back({value, static_cast<std::uint32_t>(round)});
    }
    return median_interval_of_rounds(std::move(values));
}

double width(const Rounds& rounds) {
    const auto interval = interval_of(rounds);
    return interval->high - interval->low;
}

/// Rounds of four values each, whose level is that of a round.
template <typename Level>
Rounds make_rounds(std::size_t count, Level level) {
    Rounds rounds;
    for (std::size_t round = 0; round < count; ++round) {
        const double of_round = level(round);
        rounds.push_back({of_round - 2, of_round - 1, of_round + 1, of_round + 2});
    }
    return rounds;
}

Rounds noisy(std::size_t count, std::uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> noise(1000, 10);
    return make_rounds(count, [&](std::size_t) { return noise(random); });
}

TEST(MedianIntervalOfRounds, NeedsSix) {
    EXPECT_FALSE(median_interval_of_rounds({}));
    EXPECT_FALSE(interval_of(noisy(kMinForInterval - 1, 1)));
    EXPECT_TRUE(interval_of(noisy(kMinForInterval, 1)));
}

TEST(MedianIntervalOfRounds, OfEqualValuesIsThatValue) {
    const auto interval = interval_of(Rounds(7, {5, 5, 5}));
    EXPECT_DOUBLE_EQ(interval->low, 5);
    EXPECT_DOUBLE_EQ(interval->high, 5);
}

TEST(MedianIntervalOfRounds, OfEqualRoundsIsWithinTheirMiddle) {
    // Each round has the same share at or below any candidate: nothing scatters but the values themselves.
    const auto interval = interval_of(Rounds(20, {1, 2, 3, 4, 5}));
    EXPECT_GE(interval->low, 2);
    EXPECT_LE(interval->high, 4);
}

TEST(MedianIntervalOfRounds, HoldsMostTiesAtTheMedian) {
    Rounds rounds(12, {3, 3, 3});
    rounds[4] = {1, 3, 9};
    rounds[8] = {3, 3, 8};
    const auto interval = interval_of(rounds);
    EXPECT_DOUBLE_EQ(interval->low, 1) << "3 can be the median, 1 cannot: what lies between may be";
    EXPECT_DOUBLE_EQ(interval->high, 8);
}

TEST(MedianIntervalOfRounds, MovesAndGrowsWithItsValues) {
    const Rounds rounds = noisy(25, 3);
    const auto interval = interval_of(rounds);
    Rounds moved = rounds;
    for (auto& round : moved) {
        for (double& value : round) value = 4 * value + 512;
    }
    EXPECT_DOUBLE_EQ(interval_of(moved)->low, 4 * interval->low + 512);
    EXPECT_DOUBLE_EQ(interval_of(moved)->high, 4 * interval->high + 512);
    for (auto& round : moved) {
        for (double& value : round) value = -value;
    }
    EXPECT_DOUBLE_EQ(interval_of(moved)->low, -4 * interval->high - 512);
    EXPECT_DOUBLE_EQ(interval_of(moved)->high, -4 * interval->low - 512);
}

TEST(MedianIntervalOfRounds, TakesTheOrderOfRoundsOnlyForWhatTheyHaveInCommon) {
    Rounds rounds = noisy(40, 4);
    const auto forwards = interval_of(rounds);
    std::ranges::reverse(rounds);
    EXPECT_DOUBLE_EQ(interval_of(rounds)->low, forwards->low);
    EXPECT_DOUBLE_EQ(interval_of(rounds)->high, forwards->high);
    for (auto& round : rounds) std::ranges::reverse(round);
    EXPECT_DOUBLE_EQ(interval_of(rounds)->low, forwards->low) << "nor that of a round's values";
    // The same rounds, the slow ones behind the fast ones: the machine drifts.
    std::ranges::sort(rounds);
    EXPECT_GT(width(rounds), 1.2 * (forwards->high - forwards->low));
}

TEST(MedianIntervalOfRounds, IsWiderWhereValuesOfARoundAreAlike) {
    // As many values, of rounds with a level of their own each and of rounds without.
    std::mt19937 random(5);
    std::normal_distribution<double> noise(1000, 10);
    const Rounds alike = make_rounds(60, [&](std::size_t) { return noise(random); });
    Rounds apart;
    for (int round = 0; round < 60; ++round) {
        std::vector<double>& values = apart.emplace_back(4);
        std::ranges::generate(values, [&] { return noise(random); });
    }
    EXPECT_GT(width(alike), 1.3 * width(apart));
}

TEST(MedianIntervalOfRounds, IsNoWiderWhereRoundsGetShorter) {
    // A base has long blocks while many of its cases are measured.
    std::mt19937 random(7);
    std::normal_distribution<double> noise(1000, 10);
    Rounds alike;
    Rounds shorter;
    for (std::size_t round = 0; round < 100; ++round) {
        std::ranges::generate(alike.emplace_back(8), [&] { return noise(random); });
        std::ranges::generate(shorter.emplace_back(round < 20 ? 24 : 4), [&] { return noise(random); });
    }
    EXPECT_LT(width(shorter), 2 * width(alike));
}

TEST(MedianIntervalOfRounds, HoldsTheMedianOfBimodalBlocks) {
    // A third of the rounds is slower as a whole: the median is not that of the rounds' medians.
    std::mt19937 random(6);
    std::bernoulli_distribution is_slow(0.3);
    std::uniform_real_distribution<double> noise(0, 1);  // the median of all: 0.5 / 0.7
    int held = 0;
    constexpr int kTrials = 500;
    for (int trial = 0; trial < kTrials; ++trial) {
        Rounds rounds;
        for (int round = 0; round < 25; ++round) {
            const double level = is_slow(random) ? 10 : 0;
            std::ranges::generate(rounds.emplace_back(8), [&] { return level + noise(random); });
        }
        const auto interval = interval_of(rounds);
        held += interval->low <= 0.5 / 0.7 && 0.5 / 0.7 <= interval->high ? 1 : 0;
    }
    EXPECT_GT(held, kTrials * 0.93);
}

TEST(MedianIntervalOfRounds, GoesOnBeyondFewRoundsThatDiffer) {
    // Ten levels that rise: their median may well lie beyond them.
    const auto interval =
        interval_of(make_rounds(10, [](std::size_t round) { return 100.0 * double(round); }));
    EXPECT_LT(interval->low, -2);
    EXPECT_GT(interval->high, 902);
}

}  // namespace
}  // namespace nsb
