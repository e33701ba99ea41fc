#include "run/sampler.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <future>

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
