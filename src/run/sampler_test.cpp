#include "run/sampler.h"

#include <gtest/gtest.h>

#include <sched.h>
#include <unistd.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <future>

#include "sys/error.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

protocol::Request clones(std::uint32_t samples) {
    protocol::Request request{};
    const Case c = Case::of(Operation::clone, {});
    request.samples = samples;
    request.time_limit_ns = 1'000'000'000;
    request.operation = c.operation;
    request.values = c.values;
    return request;
}

TEST(Sampler, CarriesOutBlocks) {
    Sampler sampler(NSB_SAMPLER, std::nullopt);
    for (int block = 0; block < 3; ++block) {
        sampler.send(clones(5));
        const auto records = sampler.receive(10s);
        ASSERT_EQ(records.size(), 5U);
        for (const protocol::Record& record : records) {
            EXPECT_EQ(record.failure.error, 0);
            const auto time = [&](Phase phase) { return record.times[static_cast<std::size_t>(phase)]; };
            EXPECT_GT(time(Phase::ready), 0U);
            EXPECT_GE(time(Phase::total), time(Phase::create));
            EXPECT_EQ(time(Phase::total), time(Phase::ready) + time(Phase::exit));
            const std::uint64_t before = &record == &records.front() ? 0 : (&record - 1)->ended;
            EXPECT_GE(record.ended, before + time(Phase::total));
        }
    }
}

TEST(Sampler, BeginsWhenAllHaveComeThatWorkAtOnce) {
    Sampler first(NSB_SAMPLER, std::nullopt);
    Sampler second(NSB_SAMPLER, std::nullopt);
    protocol::Request request = clones(5);
    request.at_once = 2;
    for (int block = 0; block < 2; ++block) {
        const sys::Fd barrier = make_barrier();
        first.send(request, barrier);
        auto records = std::async(std::launch::async, [&] { return first.receive(10s); });
        EXPECT_EQ(records.wait_for(200ms), std::future_status::timeout) << "it did not wait for the second";
        second.send(request, barrier);
        for (const auto& own : {second.receive(10s), records.get()}) {
            ASSERT_EQ(own.size(), 5U);
            EXPECT_EQ(own.back().failure.error, 0);
            EXPECT_GT(own.front().ended, 0U);
        }
    }
}

/// A block of `samples` samples of each of `count` that share one mm.
std::vector<std::vector<protocol::Record>> taken_together(Sampler& sampler, const Case& c, std::size_t count,
                                                          std::uint32_t samples) {
    protocol::Request request = clones(samples);
    request.operation = c.operation;
    request.set = c.set;
    request.values = c.with(Parameter::workers, static_cast<std::uint64_t>(Workers::threads)).values;
    request.at_once = static_cast<std::uint8_t>(count);
    request.time_limit_ns = 15'000'000'000;
    sampler.set_workers(count, {});
    sampler.send(request);
    return sampler.receive_all(20s);
}

TEST(SamplersOfOneMm, EachCarriesOutTheBlock) {
    Sampler sampler(NSB_SAMPLER, std::nullopt, Sampler::Purpose::threads);
    const Case c = Case::of(Operation::clone, {});
    for (const std::size_t count : {4U, 1U, 64U, 2U}) {
        const auto all = taken_together(sampler, c, count, 70);  // more than are kept at a time
        ASSERT_EQ(all.size(), count);
        for (const auto& own : all) {
            ASSERT_EQ(own.size(), 70U);
            for (const protocol::Record& record : own) {
                ASSERT_EQ(record.failure.error, 0) << protocol::name(record.failure.call);
                EXPECT_GE(record.ended, record.times[static_cast<std::size_t>(Phase::total)]);
            }
        }
    }
    EXPECT_EQ(sampler.used_by_others().size(), 63U);
    EXPECT_LE(sampler.footprint().mappings, 20U) << "what the others had is gone with them";
}

TEST(SamplersOfOneMm, CarryOutEveryOperation) {
    if (geteuid() != 0) GTEST_SKIP() << "making namespaces without a user namespace needs root";
    Sampler sampler(NSB_SAMPLER, std::nullopt, Sampler::Purpose::threads);
    for (const OperationInfo& operation : kOperations) {
        if (!operation.parameters.contains(Parameter::workers)) continue;
        for (const KindSet set :
             {KindSet(), KindSet(Kind::time), KindSet(Kind::user), Kind::pid | Kind::mnt}) {
            const Case c = Case::of(operation.operation, set);
            if (!operation.takes(set) || (c.has(Trait::held) && set.size() > 1)) continue;
            for (const auto& own : taken_together(sampler, c, 3, 5)) {
                ASSERT_FALSE(own.empty());
                const protocol::Failure failure = own.back().failure;
                EXPECT_EQ(failure.error, 0) << to_string(c) << ": " << protocol::name(failure.call);
                EXPECT_EQ(own.size(), 5U);
            }
        }
    }
}

TEST(SamplersOfOneMm, OneThatIsKilledEndsThem) {
    Sampler sampler(NSB_SAMPLER, std::nullopt, Sampler::Purpose::threads);
    kill(sampler.pid(), SIGKILL);
    const auto lost = taken_together(sampler, Case::of(Operation::clone, {}), 3, 5);
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_EQ(lost[0].back().failure.error, ECHILD);
    EXPECT_EQ(taken_together(sampler, Case::of(Operation::clone, {}), 3, 5).size(), 3U);
}

TEST(Sampler, IsNotWaitedForWithoutEnd) {
    Sampler alone(NSB_SAMPLER, std::nullopt);
    protocol::Request request = clones(5);
    request.at_once = 2;
    alone.send(request, make_barrier());
    const auto records = alone.receive(20s);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].failure.call, protocol::Call::sampler);
    EXPECT_EQ(records[0].failure.error, ETIMEDOUT);
    alone.send(clones(2));
    EXPECT_EQ(alone.receive(10s).size(), 2U) << "of a block that it makes alone";
}

TEST(Sampler, IsSmall) {
    Sampler sampler(NSB_SAMPLER, std::nullopt);
    sampler.send(clones(100));
    ASSERT_EQ(sampler.receive(10s).size(), 100U);
    EXPECT_GT(sampler.footprint().resident_bytes, 100U << 10U);
    EXPECT_LE(sampler.footprint().resident_bytes, 2U << 20U);
    EXPECT_LE(sampler.footprint().mappings, 20U);
}

/// A block fails with `error` after the sampler got `signal`, and the next one is carried out.
void expect_replaced(int signal, std::chrono::nanoseconds limit, int error) {
    Sampler sampler(NSB_SAMPLER, std::nullopt);
    kill(sampler.pid(), signal);
    sampler.send(clones(1));
    const auto lost = sampler.receive(limit);
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_EQ(lost[0].failure.call, protocol::Call::sampler);
    EXPECT_EQ(lost[0].failure.error, error);
    sampler.send(clones(2));
    EXPECT_EQ(sampler.receive(10s).size(), 2U);
}

TEST(Sampler, IsReplacedAfterACrash) {
    expect_replaced(SIGKILL, 10s, ECHILD);
}

TEST(Sampler, IsReplacedWhenItHangs) {
    expect_replaced(SIGSTOP, 100ms, ETIMEDOUT);
}

TEST(Sampler, GoesOnWithoutItsCpuOnceARunIsUnderWay) {
    constexpr int kGone = CPU_SETSIZE - 1;
    if (sysconf(_SC_NPROCESSORS_CONF) > kGone) GTEST_SKIP() << "this machine has that CPU";
    EXPECT_THROW(Sampler(NSB_SAMPLER, kGone), sys::SystemError) << "where a run begins";
    Sampler late(NSB_SAMPLER, kGone, Sampler::Purpose::threads);
    EXPECT_EQ(late.moved(), 0U) << "no block has ended";
    EXPECT_EQ(taken_together(late, Case::of(Operation::clone, {}), 1, 2).front().size(), 2U);
    EXPECT_EQ(late.moved(), 1U);
    kill(late.pid(), SIGKILL);
    EXPECT_EQ(taken_together(late, Case::of(Operation::clone, {}), 1, 2).front().back().failure.error,
              ECHILD);
    EXPECT_EQ(late.moved(), 2U) << "the block in which it was replaced";
    EXPECT_EQ(taken_together(late, Case::of(Operation::clone, {}), 1, 2).front().size(), 2U);
    EXPECT_EQ(late.moved(), 3U);
}

TEST(Sampler, RefusesAProcMountOutsideANewMountNamespace) {
    Sampler sampler(NSB_SAMPLER, std::nullopt);
    protocol::Request request = clones(1);
    request.operation = Operation::proc_remount;
    sampler.send(request);
    const auto records = sampler.receive(10s);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].failure.error, EINVAL);
}

TEST(Sampler, EndsWithItsParent) {
    pid_t sampler_pid = 0;
    {
        Sampler sampler(NSB_SAMPLER, std::nullopt);
        sampler_pid = sampler.pid();
        EXPECT_EQ(kill(sampler_pid, 0), 0);
    }
    EXPECT_EQ(kill(sampler_pid, 0), -1);
    EXPECT_EQ(errno, ESRCH);
}

}  // namespace
}  // namespace nsb::run
