// Loads of real processes, which make no namespaces: that takes no rights.
#include "run/churn_load.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "sys/file.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;
using churn::Loop;

struct Taken {
    std::uint64_t begin = 0;
    std::vector<churn::Record> records[churn::kGroups];
};

/// All records of a load.
Taken carry_out(const ChurnPlan& plan) {
    ChurnLoad load(plan);
    Taken taken;
    taken.begin = load.begin();
    for (bool is_over = false; !is_over;) {
        is_over = load.is_over();
        load.take([&](std::size_t group, const churn::Record& one) { taken.records[group].push_back(one); });
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_TRUE(load.has_ended());
    EXPECT_EQ(load.died(), 0U);
    EXPECT_EQ(load.unrecorded(0), 0U);
    return taken;
}

void expect_well(const Taken& taken) {
    for (const auto& records : taken.records) {
        for (const churn::Record& one : records) {
            EXPECT_EQ(one.failure.error, 0);
            EXPECT_LE(taken.begin, one.intended);
            EXPECT_LE(one.intended, one.start);
            EXPECT_LE(one.start, one.created);
            EXPECT_LE(one.created, one.end);
        }
    }
}

TEST(ChurnLoadTest, TheClosedLoopBeginsWhenItIsDone) {
    ChurnPlan plan;
    plan.duration = 100ms;
    plan.workers = 2;
    plan.background = BackgroundLoad{{}, 1};
    const Taken taken = carry_out(plan);
    expect_well(taken);
    EXPECT_GE(taken.records[0].size(), 2U);
    EXPECT_GE(taken.records[1].size(), 1U);
    for (const churn::Record& one : taken.records[0]) EXPECT_EQ(one.intended, one.start);
}

TEST(ChurnLoadTest, ArrivalsAreAtFixedMomentsAndEachIsOneWorkerS) {
    ChurnPlan plan;
    plan.loop = Loop::open;
    plan.rate = 100;
    plan.workers = 3;
    plan.duration = 200ms;
    const Taken taken = carry_out(plan);
    expect_well(taken);
    std::set<std::uint64_t> intended;
    for (const churn::Record& one : taken.records[0]) {
        EXPECT_EQ((one.intended - taken.begin) % 10'000'000, 0U);
        EXPECT_LT(one.intended, taken.begin + 200'000'000);
        EXPECT_TRUE(intended.insert(one.intended).second);
    }
    EXPECT_LE(intended.size(), 20U);
    EXPECT_GE(intended.size(), 1U);
}

TEST(ChurnLoadTest, AllOfABurstBeginAtTheSameMoment) {
    ChurnPlan plan;
    plan.loop = Loop::burst;
    plan.workers = 5;
    plan.bursts = 3;
    plan.pause = 1ms;
    const Taken taken = carry_out(plan);
    expect_well(taken);
    ASSERT_EQ(taken.records[0].size(), 15U);
    std::multiset<std::uint64_t> begins;
    for (const churn::Record& one : taken.records[0]) begins.insert(one.intended);
    EXPECT_EQ(std::set(begins.begin(), begins.end()).size(), 3U);
    for (const std::uint64_t begin : begins) EXPECT_EQ(begins.count(begin), 5U);
}

TEST(ChurnLoadTest, ThreeHundredWorkersAreStartedAndStopped) {
    ChurnPlan plan;
    plan.loop = Loop::burst;
    plan.workers = 300;
    plan.duration = 600s;
    plan.pause = 600s;
    ChurnLoad load(plan);
    (void)load.begin();
    load.stop();
    while (!load.is_over()) std::this_thread::sleep_for(1ms);
    EXPECT_TRUE(load.has_ended());
}

/// So many bytes of the load's mapping a process has pages for.
std::size_t mapped_by(pid_t pid) {
    std::istringstream lines(sys::read_file(fmt::format("/proc/{}/smaps", pid)).value_or(""));
    bool is_of_load = false;
    for (std::string line; std::getline(lines, line);) {
        if (line.find("/memfd:nsbench-churn") != std::string::npos) is_of_load = true;
        if (is_of_load && line.starts_with("Rss:")) return std::stoul(line.substr(4)) * 1024;
    }
    return 0;
}

std::vector<pid_t> children_of(pid_t pid) {
    std::istringstream numbers(
        sys::read_file(fmt::format("/proc/{}/task/{}/children", pid, pid)).value_or(""));
    return {std::istream_iterator<pid_t>(numbers), {}};
}

TEST(ChurnLoadTest, AllMemoryForRecordsIsThereBeforeItBegins) {
    ChurnPlan plan;
    plan.workers = 2;
    const ChurnLoad load(plan);
    const std::uint32_t room = churn::ring_records(plan.workers);
    EXPECT_GE(mapped_by(getpid()), churn::mapping_bytes(plan.workers, room));
    std::size_t workers = 0;
    for (const pid_t sampler : children_of(getpid())) {
        for (const pid_t worker : children_of(sampler)) {
            EXPECT_GE(mapped_by(worker), room * sizeof(churn::Record));
            ++workers;
        }
    }
    if (children_of(getpid()).empty()) GTEST_SKIP() << "this kernel has no /proc/PID/task/TID/children";
    EXPECT_EQ(workers, plan.workers);
}

TEST(ChurnLoadTest, OneThatIsNeverBegunGoesWithItsObject) {
    ChurnPlan plan;
    plan.workers = 4;
    const ChurnLoad load(plan);
}

TEST(ChurnLoadTest, WhatIsNotReadIsCountedAndDoesNotHoldTheLoadUp) {
    ChurnPlan plan;
    plan.workers = 256;
    plan.duration = 200ms;
    plan.background = BackgroundLoad{{}, 256};
    ChurnLoad load(plan);
    (void)load.begin();
    while (!load.is_over()) std::this_thread::sleep_for(10ms);
    std::size_t read = 0;
    load.take([&](std::size_t, const churn::Record&) { ++read; });
    EXPECT_GT(read, 0U);
    EXPECT_LE(read, std::size_t{512} * churn::ring_records(512));
}

}  // namespace
}  // namespace nsb::run
