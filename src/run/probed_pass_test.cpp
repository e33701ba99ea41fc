#include "run/probed_pass.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "env/teardown.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

/// Whether the teardown of the block with that number is seen to end.
using Sees = std::function<bool(std::size_t block)>;

/// Waits for the teardown, and says of some that its end was not seen.
class PartlyBlind final : public env::Teardown {
  public:
    PartlyBlind(env::TeardownWatch watch, Sees sees) : watch_(std::move(watch)), sees_(std::move(sees)) {}
    void begin() override { watch_.begin(); }
    [[nodiscard]] bool watches(const env::PendingTeardown& pending) const override {
        return watch_.watches(pending);
    }
    env::Drained wait(const env::PendingTeardown& pending, std::chrono::nanoseconds limit) override {
        env::Drained drained = watch_.wait(pending, limit);
        drained.complete = sees_(block_++) && drained.complete;
        return drained;
    }

  private:
    env::TeardownWatch watch_;
    Sees sees_;
    std::size_t block_ = 0;
};

/// What tracepoints tell of these cases, of four samples or in a budget; nothing where they cannot be had.
std::optional<ProbeReport> probe(const std::vector<Case>& cases, Sees sees,
                                 std::optional<std::chrono::nanoseconds> budget = {}) {
    if (geteuid() != 0) return std::nullopt;
    auto opened = probe::Probe::open(probe::Choice::tracepoint, Kind::ipc);
    auto watch = env::TeardownWatch::open();
    if (!opened || !watch) return std::nullopt;
    RunOptions options;
    if (!budget) options.samples = 4;
    options.budget = budget;
    SamplerPool samplers(cases, std::nullopt, 0ns);
    Draining draining(std::make_unique<PartlyBlind>(std::move(*watch), std::move(sees)));
    ProbedPass pass(samplers, options, *opened, cases, {}, false, std::move(draining));
    return pass.run(budget, {});
}

/// Functions of workers, and the note that some of their work is left out.
std::pair<std::size_t, bool> workers(const ProbeReport& report) {
    return {std::ranges::count(report.cases.at(0).calls, Stage::async, &CallNode::stage),
            std::ranges::any_of(report.notes, [](const std::string& note) {
                return note.starts_with("clone/NEWIPC/stack:1M: async leaves out ");
            })};
}

TEST(ProbedPass, LeavesOutTeardownThatWasNotSeenToEnd) {
    const std::vector<Case> cases{Case::of(Operation::clone, Kind::ipc)};
    const auto seen = probe(cases, [](std::size_t) { return true; });
    if (!seen) GTEST_SKIP() << "no probe here";
    if (workers(*seen).second) GTEST_SKIP() << "others keep the kernel's worker busy";
    EXPECT_GT(workers(*seen).first, 0U);
    const auto unseen = probe(cases, [](std::size_t) { return false; });
    EXPECT_EQ(workers(*unseen), std::pair(std::size_t{0}, true));
    EXPECT_EQ(unseen->cases[0].error, "");
    EXPECT_GT(unseen->cases[0].samples, 0U);
}

TEST(ProbedPass, LeavesOutTheBlockAfterTeardownThatWasNotSeenToEnd) {
    // Also where a base, which leaves nothing to be waited for, stands between the two.
    const auto half = probe({Case::of(Operation::clone, Kind::ipc), Case::of(Operation::clone, KindSet())},
                            [](std::size_t block) { return block % 2 == 1; });
    if (!half) GTEST_SKIP() << "no probe here";
    EXPECT_EQ(workers(*half), std::pair(std::size_t{0}, true));
}

TEST(ProbedPass, SaysWhyItFollowsNothing) {
    std::vector<Case> cases = {Case::of(Operation::clone, Kind::ipc)
                                   .with(Parameter::parallel, 2)
                                   .with(Parameter::workers, static_cast<std::uint64_t>(Workers::threads)),
                               Case::of(Operation::runtime, Kind::ipc)};
    const auto report = probe(
        cases, [](std::size_t) { return true; }, 10s);
    if (!report) GTEST_SKIP() << "no probe here";
    ASSERT_EQ(report->cases.size(), 2U);
    EXPECT_NE(report->cases[0].error.find("samplers that share one mm"), std::string::npos);
    EXPECT_NE(report->cases[1].error.find("processes of other programs"), std::string::npos);
    EXPECT_LT(report->seconds, 1) << "of the budget";
}

}  // namespace
}  // namespace nsb::run
