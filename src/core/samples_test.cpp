#include "core/samples.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/test_samples.h"

namespace nsb {
namespace {

constexpr auto kCreate = static_cast<std::size_t>(Phase::create);
constexpr auto kDrain = static_cast<std::size_t>(Phase::drain);

/// Of two rounds, by two samplers each, the first of which does not count; some of their times are large,
/// some have a fraction, and some are not there.
std::vector<Sample> various() {
    std::vector<Sample> all;
    for (std::uint32_t round = 0; round < 3; ++round) {
        for (std::uint32_t sampler = 0; sampler < 2; ++sampler) {
            for (std::uint32_t i = 0; i < 4; ++i) {
                Sample sample{round, 7 + round, round > 0 && i > 0, {}, 3, sampler};
                const auto number = static_cast<double>(all.size());
                sample.times[kCreate] = 1000 + number;
                sample.times[static_cast<std::size_t>(Phase::exit)] = std::ldexp(number, 30);
                sample.times[static_cast<std::size_t>(Phase::total)] = number / 8;
                sample.times[kDrain] = round / 3.0;
                sample.ended = round == 1 ? number : 0;
                all.push_back(sample);
            }
        }
    }
    return all;
}

void expect_same(const Sample& one, const Sample& other) {
    EXPECT_EQ(one.round, other.round);
    EXPECT_EQ(one.block, other.block);
    EXPECT_EQ(one.counted, other.counted);
    EXPECT_EQ(one.times, other.times);
    EXPECT_EQ(one.machine, other.machine);
    EXPECT_EQ(one.sampler, other.sampler);
    EXPECT_EQ(one.ended, other.ended);
}

TEST(TickColumn, GivesBackWhatItWasGiven) {
    constexpr double kMost32 = std::numeric_limits<std::uint32_t>::max();
    for (const double odd : {kMost32, kMost32 + 1, 0.125, 9007199254740992.0}) {
        TickColumn column;
        const std::vector<double> ticks{0, 0, 5, 0, kMost32, odd, 0, 1};
        for (std::size_t i = 0; i < ticks.size(); ++i) column.set(i, ticks[i]);
        for (std::size_t i = 0; i < ticks.size(); ++i) EXPECT_EQ(column[i], ticks[i]) << i << ' ' << odd;
        EXPECT_EQ(column[ticks.size()], 0);
    }
}

TEST(Samples, ComeBackAsTheyWere) {
    const std::vector<Sample> given = various();
    Samples samples;
    EXPECT_TRUE(samples.empty());
    for (const Sample& sample : given) {
        samples.push_back(sample);
        expect_same(samples.back(), sample);
    }
    ASSERT_EQ(samples.size(), given.size());
    std::size_t i = 0;
    for (const Sample& sample : samples.all()) expect_same(sample, given[i++]);
    EXPECT_EQ(i, given.size());
}

TEST(Samples, OfASamplersBlockAreOneStretch) {
    Samples samples;
    for (const Sample& sample : various()) samples.push_back(sample);
    ASSERT_EQ(samples.stretches().size(), 6U);
    EXPECT_EQ(samples.stretches()[0].counted, samples.stretches()[0].end) << "of the warm-up";
    const Stretch& last = samples.stretches().back();
    EXPECT_EQ(last.begin, 20U);
    EXPECT_EQ(last.counted, 21U) << "behind the lead-in";
    EXPECT_EQ(last.end, 24U);
    EXPECT_EQ(last.sampler, 1U);
}

TEST(Samples, CountWhereverTheyStand) {
    Samples samples;
    for (const bool counted : {true, false, false, true, false})
        samples.push_back(alike({1, 1, counted}, 100));
    std::vector<bool> found;
    for (const Sample& sample : samples.all()) found.push_back(sample.counted);
    EXPECT_EQ(found, (std::vector<bool>{true, false, false, true, false}));
}

TEST(Samples, OfABatchHaveItsDrain) {
    Samples samples;
    std::uint32_t before = 0;
    for (const std::uint32_t last : {2U, 3U, 5U}) {
        for (std::uint32_t block = before + 1; block <= last; ++block) samples.push_back({1, block, true});
        samples.set_drain(before, 10 + last);
        before = last;
    }
    std::vector<double> drains;
    for (const Sample& sample : samples.all()) drains.push_back(sample.time(Phase::drain));
    EXPECT_EQ(drains, (std::vector<double>{12, 12, 13, 15, 15}));
}

TEST(Samples, AreCutOffAnywhere) {
    Samples whole;
    for (std::uint32_t i = 0; i < 12; ++i) {
        Sample sample = alike({i / 4, i / 4, i % 4 > 0}, i < 6 ? 100 : 100.5);
        sample.ended = i;
        whole.push_back(sample);
    }
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        Samples cut = whole;
        cut.cut(size);
        ASSERT_EQ(cut.size(), size);
        for (std::size_t at = 0; at < size; ++at) {
            EXPECT_EQ(cut[at].times, whole[at].times);
            EXPECT_EQ(cut[at].ended, whole[at].ended);
            EXPECT_EQ(cut[at].counted, whole[at].counted);
        }
        cut.push_back(alike({9, 9, true}, 7));
        EXPECT_EQ(cut.back().time(Phase::create), 7);
    }
}

TEST(Samples, OfRoundsThatAreLeftOutDoNotCount) {
    Samples samples;
    for (std::uint32_t round = 1; round <= 3; ++round) {
        for (const bool counted : {false, true}) samples.push_back(alike({round, round, counted}, 100));
    }
    samples.leave_out({2, 4});
    std::vector<std::uint32_t> counted;
    for (const Sample& sample : samples.all()) {
        if (sample.counted) counted.push_back(sample.round);
    }
    EXPECT_EQ(counted, (std::vector<std::uint32_t>{1, 3}));
}

}  // namespace
}  // namespace nsb
