#include "core/load.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

namespace nsb {
namespace {

constexpr double kRow = 0.25;

/// Rows with these backlogs.
std::vector<LoadRow> rows_of(const std::vector<std::uint64_t>& backlogs) {
    std::vector<LoadRow> rows;
    for (const std::uint64_t backlog : backlogs) {
        LoadRow row;
        row.begin_s = kRow * static_cast<double>(rows.size());
        row.seconds = kRow;
        row.backlog = backlog;
        row.done = 50;
        rows.push_back(row);
    }
    return rows;
}

/// Rows in which the kernel holds so many MiB, and so many namespaces.
std::vector<LoadRow> held(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& figures) {
    std::vector<LoadRow> rows = rows_of(std::vector<std::uint64_t>(figures.size(), 0));
    for (std::size_t i = 0; i < rows.size(); ++i)
        rows[i].use = {figures[i].second, figures[i].first << 20U, 0, 0};
    return rows;
}

KernelUse at_begin(std::uint64_t mib, std::uint64_t namespaces) {
    return {namespaces, mib << 20U, 0, 0};
}

TEST(TallyTest, LatencyIsFromWhenItShouldHaveBegun) {
    Tally tally;
    tally.add({100, 1100, 1150, 1200, {}});
    EXPECT_EQ(tally.latency.max(), 1100U);
    EXPECT_EQ(tally.service.max(), 100U);
    EXPECT_EQ(tally.create.max(), 50U);
    EXPECT_EQ(tally.done(), 1U);
}

TEST(TallyTest, AFailedCallIsCountedAndNoTime) {
    Tally tally;
    tally.add({100, 100, 900, 900, {protocol::Call::clone, ENOSPC}});
    tally.add({100, 100, 900, 900, {protocol::Call::clone, ENOSPC}});
    tally.add({100, 100, 900, 900, {protocol::Call::clone, EAGAIN}});
    EXPECT_EQ(tally.done(), 0U);
    EXPECT_EQ(tally.create.count(), 0U);
    EXPECT_EQ(count_of(tally.errors), 3U);
    EXPECT_EQ(to_string(tally.errors), "EAGAIN 1, ENOSPC 2");
    Tally sum;
    sum.add(tally);
    sum.add(tally);
    EXPECT_EQ(sum.errors.at(ENOSPC), 4U);
    sum.clear();
    EXPECT_TRUE(sum.errors.empty());
}

TEST(ArrivalsTest, TheFirstIsDueAtOnce) {
    constexpr double kPeriod = 5e6;  // 200 a second
    EXPECT_EQ(due_arrivals(kPeriod, 0), 1U);
    EXPECT_EQ(due_arrivals(kPeriod, 4'999'999), 1U);
    EXPECT_EQ(due_arrivals(kPeriod, 5'000'000), 2U);
    EXPECT_EQ(due_arrivals(kPeriod, 999'999'999), 200U);
}

TEST(JudgeTest, ARateIsHeldWithoutABacklog) {
    const Held held = judge(rows_of(std::vector<std::uint64_t>(40, 0)), {200, 1});
    EXPECT_EQ(held.is_held, true);
    EXPECT_EQ(held.why, "");
}

TEST(JudgeTest, AStallThatIsCaughtUpWithLeavesItHeld) {
    std::vector<std::uint64_t> backlog(40, 1);
    for (std::size_t i = 28; i < 32; ++i) backlog[i] = 150;
    EXPECT_EQ(judge(rows_of(backlog), {200, 1}).is_held, true);
}

TEST(JudgeTest, MoreThanASecondBehindAtTheEndIsNotHeld) {
    std::vector<std::uint64_t> backlog(27, 0);
    backlog.back() = 200;
    EXPECT_EQ(judge(rows_of(backlog), {200, 1}).is_held, true);
    backlog.back() = 201;
    const Held held = judge(rows_of(backlog), {200, 1});
    EXPECT_EQ(held.is_held, false);
    EXPECT_NE(held.why.find("at the end"), std::string::npos);
    EXPECT_EQ(judge(rows_of({0, 201}), {200, 1}).is_held, false) << "also of a short load";
}

TEST(JudgeTest, ABacklogThatGrowsSlowlyIsNotHeld) {
    std::vector<std::uint64_t> backlog;
    for (std::uint64_t i = 0; i < 60; ++i) backlog.push_back(i);
    const Held held = judge(rows_of(backlog), {200, 1});
    EXPECT_EQ(held.is_held, false);
    EXPECT_NE(held.why.find("grew"), std::string::npos);
}

TEST(JudgeTest, ABacklogThatStaysOrMovesWithinTheWorkersHandsIsHeld) {
    EXPECT_EQ(judge(rows_of(std::vector<std::uint64_t>(60, 80)), {200, 1}).is_held, true);
    std::vector<std::uint64_t> one_more(60, 0);
    for (std::size_t i = 50; i < 60; ++i) one_more[i] = 4;
    EXPECT_EQ(judge(rows_of(one_more), {200, 4}).is_held, true);
    EXPECT_EQ(judge(rows_of(one_more), {200, 2}).is_held, false);
}

TEST(JudgeTest, TooFewRowsTellNeither) {
    std::vector<std::uint64_t> backlog;
    for (std::uint64_t i = 0; i < kLeastToJudge - 1; ++i) backlog.push_back(5 * i);
    const Held held = judge(rows_of(backlog), {200, 1});
    EXPECT_EQ(held.is_held, std::nullopt);
    EXPECT_NE(held.why.find("26 intervals are too few"), std::string::npos) << held.why;
    backlog.push_back(5 * (kLeastToJudge - 1));
    EXPECT_EQ(judge(rows_of(backlog), {200, 1}).is_held, false) << "it grows";
    EXPECT_EQ(judge({}, {200, 1}).is_held, std::nullopt);
}

TEST(JudgeTest, ARateAtWhichAnArrivalFailsIsNotHeld) {
    std::vector<LoadRow> rows = rows_of(std::vector<std::uint64_t>(40, 0));
    rows[3].errors = {{EAGAIN, 2}, {ENOSPC, 1}};
    const Held held = judge(rows, {200, 1, 7});
    EXPECT_EQ(held.is_held, false);
    EXPECT_EQ(held.why, "3 of 2010 arrivals failed");
}

TEST(JudgeTest, OfWhatHasNoRecordNothingIsTold) {
    const std::vector<LoadRow> rows = rows_of(std::vector<std::uint64_t>(40, 0));
    const Held held = judge(rows, {200, 1, 7});
    EXPECT_EQ(held.is_held, std::nullopt);
    EXPECT_EQ(held.why, "7 of 2007 arrivals have no record");
}

TEST(RateTest, AtTheEndIsThatOfTheLastThird) {
    std::vector<LoadRow> rows = rows_of(std::vector<std::uint64_t>(30, 0));
    for (std::size_t i = 20; i < 30; ++i) rows[i].done = 25;
    EXPECT_DOUBLE_EQ(rate_at_end(rows), 100);
    EXPECT_DOUBLE_EQ(rate_at_end(std::span(rows).first(4)), 200);
    EXPECT_DOUBLE_EQ(rate_at_end({}), 0);
}

TEST(SettledTest, FromWhenOnNeitherMemoryNorNamespacesMove) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> figures(4, {300, 1000});
    for (std::uint64_t left = 900; left > 100; left -= 100) figures.emplace_back(100 + left / 5, left);
    const std::size_t still = figures.size();
    figures.insert(figures.end(), 7, {120, 100});
    EXPECT_EQ(settled_at(at_begin(100, 20), held(figures)), std::nullopt) << "for less than two seconds";
    figures.insert(figures.end(), 4, {120, 100});
    const auto settled = settled_at(at_begin(100, 20), held(figures));
    ASSERT_TRUE(settled.has_value());
    EXPECT_DOUBLE_EQ(*settled, kRow * static_cast<double>(still + 1));
}

TEST(SettledTest, WhatOtherWorkMovesIsNoMatter) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> figures;
    for (std::uint64_t i = 0; i < 20; ++i) figures.emplace_back(100 + i % 3, 20 + i % 9);
    EXPECT_EQ(settled_at(at_begin(100, 20), held(figures)), 0);
}

TEST(SettledTest, WhatWorkersHaveNotTornDownYetHasNotSettled) {
    std::vector<LoadRow> rows = held(std::vector<std::pair<std::uint64_t, std::uint64_t>>(40, {300, 1000}));
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].is_torn_down = i >= 30;
    EXPECT_EQ(settled_at(at_begin(100, 20), std::span(rows).first(30)), std::nullopt) << "still, and busy";
    EXPECT_EQ(settled_at(at_begin(100, 20), std::span(rows).first(37)), std::nullopt) << "idle for too short";
    const auto settled = settled_at(at_begin(100, 20), rows);
    ASSERT_TRUE(settled.has_value());
    EXPECT_DOUBLE_EQ(*settled, kRow * 31);
}

TEST(SettledTest, WithoutAViewOfTheWorkersMostOfTheMemoryHasToBeBack) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> figures(20, {300, 0});
    EXPECT_EQ(settled_at(at_begin(100, 0), held(figures)), std::nullopt);
    figures.insert(figures.end(), 20, {190, 0});
    EXPECT_TRUE(settled_at(at_begin(100, 0), held(figures)).has_value());
}

TEST(SettledTest, OneFigureIsEnoughAndNoneTellsNothing) {
    std::vector<LoadRow> rows = held(std::vector<std::pair<std::uint64_t, std::uint64_t>>(20, {100, 0}));
    for (LoadRow& row : rows) row.use.namespaces.reset();
    EXPECT_EQ(settled_at({std::nullopt, 100U << 20U, 0, 0}, rows), 0);
    for (LoadRow& row : rows) row.use = {};
    EXPECT_EQ(settled_at({}, rows), std::nullopt);
    EXPECT_EQ(settled_at({}, {}), std::nullopt);
}

TEST(KernelUseTest, ASumIsOfAllOrNone) {
    EXPECT_EQ((KernelUse{std::nullopt, 1, 2, 3}.memory()), 6U);
    EXPECT_EQ((KernelUse{std::nullopt, 1, std::nullopt, 3}.memory()), std::nullopt);
}

TEST(ParseRateTest, TakesRatesAndSaysWhatIsAccepted) {
    EXPECT_DOUBLE_EQ(parse_rate("200/s").value(), 200);
    EXPECT_DOUBLE_EQ(parse_rate("200").value(), 200);
    EXPECT_DOUBLE_EQ(parse_rate("90/m").value(), 1.5);
    EXPECT_DOUBLE_EQ(parse_rate("0.5/s").value(), 0.5);
    EXPECT_DOUBLE_EQ(parse_rate("3600/h").value(), 1);
    for (const char* const wrong :
         {"", "/s", "0", "-1/s", "nan", "inf", "1e3", "200/d", "200 /s", "2000000/s", "200s"})
        EXPECT_FALSE(parse_rate(wrong).has_value()) << wrong;
    for (const char* const rate : {"999999.7", "123456.7", "1/h", "0.333/s", "1000000"}) {
        const std::string text = format_rate(parse_rate(rate).value());
        EXPECT_EQ(text.find_first_not_of("0123456789."), std::string::npos) << text << " stands in an id";
        EXPECT_EQ(format_rate(parse_rate(text).value()), text);
    }
    EXPECT_NE(parse_rate("x").error().find("200/s"), std::string::npos);
    EXPECT_EQ(format_rate(200), "200");
    EXPECT_EQ(format_rate(1.5), "1.5");
    EXPECT_EQ(format_rate(1e6), "1000000");
}

TEST(RingTest, AllRecordsFitInto40Mib) {
    for (std::uint32_t workers = 1; workers <= churn::kMostWorkers; ++workers) {
        const std::uint32_t records = churn::ring_records(workers);
        EXPECT_EQ(records & (records - 1), 0U);
        EXPECT_LE(churn::mapping_bytes(workers, records), 41U << 20U) << workers;
    }
}

}  // namespace
}  // namespace nsb
