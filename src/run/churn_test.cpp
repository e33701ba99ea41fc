// The time line, the bursts and the end of a load: no process is started.
#include <gtest/gtest.h>

#include <cerrno>

#include "run/churn.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;
using churn::Loop;

constexpr std::uint64_t kBegin = 1'000'000'000;
constexpr std::uint64_t kMs = 1'000'000;

ChurnPlan open_plan(double rate) {
    ChurnPlan plan;
    plan.set = Kind::net;
    plan.loop = Loop::open;
    plan.rate = rate;
    plan.duration = 1s;
    return plan;
}

churn::Record record(std::uint64_t intended_ms, std::uint64_t end_ms, int error = 0) {
    const std::uint64_t end = kBegin + end_ms * kMs;
    return {kBegin + intended_ms * kMs,
            end - kMs,
            end - kMs / 2,
            end,
            {error == 0 ? protocol::Call::none : protocol::Call::clone, error}};
}

TEST(ChurnPlanTest, IdsFollowTheRulesOfCases) {
    ChurnPlan plan;
    plan.set = Kind::net;
    EXPECT_EQ(to_string(plan), "churn/NEWNET");
    plan.workers = 4;
    EXPECT_EQ(to_string(plan), "churn/NEWNET/workers:4");
    plan.loop = Loop::open;
    plan.rate = 200;
    plan.background = BackgroundLoad{Kind::net | Kind::pid, 8};
    EXPECT_EQ(to_string(plan), "churn/NEWNET/rate:200/workers:4/background:NEWNET-NEWPID.8");
    plan = {};
    plan.loop = Loop::burst;
    plan.workers = 100;
    EXPECT_EQ(to_string(plan), "churn/none/burst:100");
}

TEST(ChurnPlanTest, SetsGainNewuserAndNoneStays) {
    ChurnPlan plan;
    plan.background = BackgroundLoad{Kind::net, 2};
    const ChurnPlan through = plan.through_userns();
    EXPECT_TRUE(through.set.empty());
    EXPECT_EQ(through.background->set, Kind::net | Kind::user);
    EXPECT_EQ(through.made(), Kind::net | Kind::user);
}

TEST(ChurnPlanTest, ALongLoadHasLongerIntervalsUnlessTold) {
    ChurnPlan plan;
    EXPECT_EQ(plan.interval(), 250ms);
    plan.duration = 4000s;
    EXPECT_EQ(plan.interval(), 1s);
    plan.interval_given = 100ms;
    EXPECT_EQ(plan.interval(), 100ms);
}

TEST(ChurnRecorderTest, RowsHaveWhatEndedInThemAndTheBacklogAtTheirEnd) {
    ChurnRecorder recorder(open_plan(10), kBegin, {});
    recorder.add(0, record(0, 1));
    recorder.add(0, record(100, 101));
    recorder.add(1, record(0, 5));
    recorder.close(kBegin + 250 * kMs, {});
    recorder.add(0, record(200, 400, ENOSPC));
    recorder.close(kBegin + 500 * kMs, {});
    const auto& rows = recorder.rows();
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].done, 2U);
    EXPECT_EQ(rows[0].background_done, 1U);
    EXPECT_EQ(rows[0].backlog, 1U);  // 0, 100 and 200 ms are due, two are done
    EXPECT_EQ(rows[0].latency.max, kMs);
    EXPECT_EQ(rows[1].done, 0U);
    EXPECT_EQ(rows[1].errors.at(ENOSPC), 1U);
    EXPECT_EQ(rows[1].latency.count, 0U);
    EXPECT_EQ(rows[1].backlog, 3U);  // of 0 … 500 ms three are answered
    EXPECT_DOUBLE_EQ(rows[1].begin_s, 0.25);
}

TEST(ChurnRecorderTest, WhatIsDueAndNotDoneIsUnservedAndNoMoreArriveAfterTheTime) {
    ChurnRecorder recorder(open_plan(10), kBegin, {});
    for (std::uint64_t i = 0; i < 7; ++i) recorder.add(0, record(100 * i, 100 * i + 1));
    recorder.close(kBegin + 3000 * kMs, {});
    recorder.end_load();
    EXPECT_EQ(recorder.unserved(), 3U);
    recorder.close(kBegin + 3250 * kMs, {});
    EXPECT_EQ(recorder.load().size(), 1U);
    EXPECT_TRUE(recorder.rows().back().is_drain);
    EXPECT_EQ(recorder.rows().back().backlog, std::nullopt);
}

TEST(ChurnRecorderTest, NothingIsDueOnceTheLoadWasStopped) {
    ChurnRecorder recorder(open_plan(10), kBegin, {});
    recorder.add(0, record(0, 1));
    recorder.close(kBegin + 250 * kMs, {});
    EXPECT_EQ(recorder.unserved(), 2U);  // of what is saved meanwhile
    recorder.stop(kBegin + 260 * kMs);
    recorder.add(0, record(100, 700));
    recorder.close(kBegin + 800 * kMs, {});
    recorder.end_load();
    EXPECT_EQ(recorder.unserved(), 1U);
    EXPECT_EQ(recorder.load().back().backlog, 1U);
}

TEST(ChurnRecorderTest, AnOperationWithoutARecordIsDoneAllTheSame) {
    ChurnRecorder recorder(open_plan(10), kBegin, {});
    recorder.close(kBegin + 250 * kMs, {}, 3);
    EXPECT_EQ(recorder.rows().back().backlog, 0U);
}

TEST(ChurnRecorderTest, WhatHasSucceededIsKnownBeforeItsIntervalIsClosed) {
    ChurnRecorder recorder(open_plan(10), kBegin, {});
    recorder.add(0, record(0, 1));
    recorder.close(kBegin + 250 * kMs, {});
    recorder.add(0, record(300, 301));
    recorder.add(0, record(400, 401, ENOSPC));
    recorder.add(1, record(0, 301));
    EXPECT_EQ(recorder.total(0).done(), 1U);
    EXPECT_EQ(recorder.done(0), 2U);
    EXPECT_EQ(recorder.done(1), 1U);
}

TEST(ChurnRecorderTest, NamespacesAreThoseAboveTheStart) {
    ChurnRecorder recorder(open_plan(10), kBegin, {20U, {}, {}, {}});
    recorder.close(kBegin + 250 * kMs, {120U, {}, {}, {}});
    recorder.close(kBegin + 500 * kMs, {15U, {}, {}, {}});
    recorder.close(kBegin + 750 * kMs, {});
    EXPECT_EQ(recorder.rows()[0].not_freed, 100U);
    EXPECT_EQ(recorder.rows()[1].not_freed, 0U);
    EXPECT_EQ(recorder.rows()[2].not_freed, std::nullopt);
}

TEST(ChurnRecorderTest, ABurstIsWholeWhicheverOrderItsRecordsComeIn) {
    ChurnPlan plan;
    plan.loop = Loop::burst;
    plan.workers = 3;
    ChurnRecorder recorder(plan, kBegin, {});
    recorder.add(0, record(0, 10));
    recorder.add(0, record(500, 530, EAGAIN));
    recorder.add(0, record(0, 30));
    recorder.add(0, record(500, 510));
    recorder.add(0, record(0, 20));
    recorder.close(kBegin + 600 * kMs, {});
    recorder.end_load();
    const auto bursts = recorder.bursts();
    ASSERT_EQ(bursts.size(), 2U);
    EXPECT_EQ(bursts[0].latency.count, 3U);
    EXPECT_EQ(bursts[0].latency.p50, 20 * kMs);
    EXPECT_EQ(bursts[0].latency.max, 30 * kMs);
    EXPECT_DOUBLE_EQ(bursts[0].rate, 100);
    EXPECT_DOUBLE_EQ(bursts[1].begin_s, 0.5);  // one that was cut short
    EXPECT_EQ(bursts[1].errors.at(EAGAIN), 1U);
    EXPECT_EQ(bursts[1].latency.count, 1U);
}

TEST(ChurnRecorderTest, TenMillionRecordsTakeNoMoreMemoryThanTen) {
    ChurnPlan plan;
    ChurnRecorder recorder(plan, kBegin, {});
    for (std::uint64_t i = 0; i < 10'000'000; ++i) recorder.add(0, record(0, 1 + i % 1000));
    recorder.close(kBegin + 250 * kMs, {});
    EXPECT_EQ(recorder.rows().size(), 1U);
    EXPECT_EQ(recorder.rows().front().done, 10'000'000U);
    EXPECT_EQ(recorder.rows().front().latency.max, 1000 * kMs);
}

TEST(ChurnRecorderTest, LongRowsAreFewAndEndWithTheLoad) {
    ChurnPlan plan;
    plan.duration = 60s;
    ChurnRecorder recorder(plan, kBegin, {});
    for (std::uint64_t i = 1; i <= 241; ++i) {
        recorder.add(0, record(0, 1));
        recorder.close(kBegin + 250 * i * kMs, {});
    }
    recorder.end_load();
    EXPECT_LE(recorder.long_rows().size(), 21U);
    std::uint64_t done = 0;
    for (const LoadRow& row : recorder.long_rows()) done += row.done;
    EXPECT_EQ(done, 241U);
    EXPECT_DOUBLE_EQ(recorder.long_rows().back().end_s(), 60.25);
    recorder.close(kBegin + 61'000 * kMs, {});
    recorder.end_drain();
    EXPECT_TRUE(recorder.long_rows().back().is_drain);
}

TEST(FailureWatchTest, WhatNeverCanBeEndsTheLoadAtOnce) {
    FailureWatch watch;
    EXPECT_FALSE(watch.end(Kind::net));
    watch.see(record(0, 1, EPERM));
    const auto end = watch.end(Kind::net);
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(end->because, LoadEnd::Because::unsupported);
    EXPECT_TRUE(end->why.starts_with("EPERM: clone: "));
}

TEST(FailureWatchTest, ALimitEndsItOnceCallsHaveFailedForTwoSeconds) {
    FailureWatch watch;
    std::uint64_t at = 0;  // ms
    for (const int error : {ENOSPC, EAGAIN, ENOMEM}) {
        watch.see(record(at, at + 1));
        watch.see(record(at, at + 10, error));
        watch.see(record(at, at + 2009, error));
        EXPECT_FALSE(watch.end(Kind::net));
        watch.see(record(at, at + 2010, error));
        const auto end = watch.end(Kind::net);
        ASSERT_TRUE(end.has_value());
        EXPECT_EQ(end->because, LoadEnd::Because::limit);
        watch.see(record(at, at + 2011));
        EXPECT_FALSE(watch.end(Kind::net)) << "one succeeded";
        at += 3000;
    }
}

TEST(FailureWatchTest, OneFailureBeforeAPauseIsNone) {
    FailureWatch watch;
    watch.see(record(0, 10, EAGAIN));
    watch.see(record(3000, 3001));  // nothing was tried for 3 s
    watch.see(record(3000, 3002, EAGAIN));
    EXPECT_FALSE(watch.end(Kind::net));
}

TEST(FailureWatchTest, RecordsOfSeveralWorkersComeInAnyOrder) {
    FailureWatch watch;
    watch.see(record(0, 9, EAGAIN));
    watch.see(record(0, 3000, EAGAIN));
    EXPECT_TRUE(watch.end(Kind::net));
    watch.see(record(0, 2000));  // of another worker's ring
    EXPECT_FALSE(watch.end(Kind::net));
    watch.see(record(0, 1000, EAGAIN));  // of before that
    watch.see(record(0, 3999, EAGAIN));
    EXPECT_FALSE(watch.end(Kind::net));
}

TEST(FailureWatchTest, AnotherErrorThatLastsIsAFault) {
    FailureWatch watch;
    churn::Record one{kBegin, kBegin, kBegin, kBegin, {protocol::Call::child, ECHILD}};
    watch.see(one);
    EXPECT_FALSE(watch.end(Kind::net));
    one.end += 3000 * kMs;
    watch.see(one);
    EXPECT_EQ(watch.end(Kind::net)->because, LoadEnd::Because::fault);
}

}  // namespace
}  // namespace nsb::run
