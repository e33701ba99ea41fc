#include "run/kernel_markers.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <optional>

#include "sys/process.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

class KernelMarkersTest : public ::testing::Test {
  protected:
    void SetUp() override {
        if (cpus_.size() < 2) GTEST_SKIP() << "one CPU: there is none to move to";
        try {
            pool_.emplace(std::vector{case_}, cpus_.back(), 0ns);
        } catch (const NotPermitted& error) {
            GTEST_SKIP() << error.what();
        }
    }
    void TearDown() override { (void)sys::restrict_to(0, cpus_); }  // the pool keeps off its sampler's

    const Case case_ = Case::of(Operation::unshare, Kind::uts);
    std::vector<int> cpus_ = sys::allowed_cpus();
    std::optional<SamplerPool> pool_;
};

TEST_F(KernelMarkersTest, ARoundInWhichASamplerIsReplacedHasNothingOfThoseBefore) {
    KernelMarkers markers(*pool_);
    const auto round = [&](std::uint32_t number) {
        markers.begin();
        (void)pool_->take(case_, 1, 1s);
        return markers.end(number);
    };
    (void)sys::restrict_to(pool_->pids().front(), {cpus_.front()});
    EXPECT_EQ(round(1).moved, 1);
    const pid_t before = pool_->pids().front();
    kill(before, SIGKILL);
    EXPECT_EQ(round(2).moved, 0);
    EXPECT_NE(pool_->pids().front(), before) << "it was not replaced";
    EXPECT_EQ(round(3).moved, 0);
}

}  // namespace
}  // namespace nsb::run
