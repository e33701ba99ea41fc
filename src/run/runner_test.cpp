#include "run/runner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "run/block_shape.h"
#include "run/fakes.h"

namespace nsb::run {
namespace {

const Case kNone = Case::of(Operation::unshare, {});
const Case kUts = Case::of(Operation::unshare, Kind::uts);
const Case kNet = Case::of(Operation::unshare, Kind::net);

class RunnerTest : public testing::Test {
  protected:
    RunnerTest() {
        options_.budget.reset();
        options_.samples = 20;
        options_.block = 5;
        options_.lead_in = 2;
    }

    Runner runner(const std::vector<Case>& plan, const Before& before = {}) {
        return {options_, Cases::of(plan, false, false), samplers_,
                Draining(std::make_unique<FakeTeardown>(teardown_)), before};
    }

    RunOptions options_;
    FakeSamplers samplers_;
    TeardownLog teardown_;
};

std::size_t counted(const Series& series) {
    return static_cast<std::size_t>(std::ranges::count_if(series.samples.all(), &Sample::counted));
}

TEST_F(RunnerTest, MeasuresAFixedNumberOfEachCaseAndItsBase) {
    Runner one = runner({kUts, kNet});
    std::size_t rounds_done = 0;
    std::vector<Progress> progress;
    one.measure({[&](const Progress& p) { progress.push_back(p); }, [&] { ++rounds_done; }});
    ASSERT_EQ(one.planned().size(), 2U);
    ASSERT_EQ(one.bases().size(), 1U);
    EXPECT_EQ(one.bases()[0].measured, kNone);
    for (const Series& series : one.series()) {
        EXPECT_EQ(counted(series), 20U) << to_string(series.measured);
        std::set<std::uint32_t> rounds;
        for (const Sample& sample : series.samples.all()) rounds.insert(sample.round);
        EXPECT_EQ(rounds, (std::set<std::uint32_t>{0, 1, 2, 3, 4}));
        // The warm-up has one sample behind another, and a round five behind two.
        EXPECT_EQ(series.samples.size(), 2U + 4 * 7U);
        for (std::size_t phase = 0; phase < kPhases; ++phase) {
            if (phase == static_cast<std::size_t>(Phase::drain)) continue;
            EXPECT_EQ(series.samples[1].times[phase], static_cast<double>(fake_time(phase, 1)));
        }
    }
    EXPECT_EQ(one.totals().rounds, 4U);
    EXPECT_EQ(one.totals().block_shapes,
              (BlockShapes{{BlockClass::none, {2, 5}}, {BlockClass::net, {2, 5}}}));
    EXPECT_EQ(one.totals().blocks_in_round, 1U);
    EXPECT_FALSE(progress.front().left_s) << "nothing is known in the warm-up";
    EXPECT_EQ(progress.back().left_s, 0);
    EXPECT_EQ(rounds_done, 5U) << "after the warm-up, too";
    ASSERT_EQ(progress.size(), 15U);
    EXPECT_EQ(progress[0].round, 0U);
    EXPECT_EQ(progress.back().round, 4U);
    EXPECT_EQ(progress.back().blocks_done, 3U);
    EXPECT_EQ(progress.back().blocks_in_round, 3U);
    EXPECT_EQ(progress.back().cases, 2U);
}

TEST_F(RunnerTest, NumbersBlocksInTheOrderInWhichTheyWereTaken) {
    Runner one = runner({kUts, kNet});
    one.measure({});
    std::vector<Case> by_number(samplers_.asked.size());
    for (const Series& series : one.series()) {
        for (const Sample& sample : series.samples.all()) by_number.at(sample.block - 1) = series.measured;
    }
    for (std::size_t i = 0; i < by_number.size(); ++i) EXPECT_EQ(by_number[i], samplers_.asked[i].c);
}

TEST_F(RunnerTest, EndsACaseAtItsFirstFailure) {
    samplers_.answer = [](const Case& c, std::uint32_t samples) {
        const protocol::Failure failure{protocol::Call::unshare, ENOSPC};
        return Samplers::Answer{{c == kUts ? fake_records(samples, failure, 1) : fake_records(samples)}, ""};
    };
    Runner one = runner({kUts, kNet});
    one.measure({});
    const Series& failed = one.series()[0];
    ASSERT_TRUE(failed.failure);
    EXPECT_EQ(failed.failure->error, ENOSPC);
    EXPECT_EQ(failed.samples.size(), 1U);
    EXPECT_EQ(std::ranges::count(samplers_.asked, kUts, &FakeSamplers::Asked::c), 1);
    EXPECT_EQ(counted(one.series()[1]), 20U);
}

TEST_F(RunnerTest, EndsABlockAndNotItsCaseWhereTheCounterJumpedInASuspension) {
    for (const bool was_suspended : {true, false}) {
        int left = 3;
        samplers_.answer = [&](const Case& c, std::uint32_t samples) {
            const bool jumped = c == kUts && left-- > 0;
            const protocol::Failure failure{protocol::Call::child, ERANGE};
            return Samplers::Answer{{jumped ? fake_records(samples, failure, 1) : fake_records(samples)},
                                    "",
                                    jumped && was_suspended};
        };
        Runner one = runner({kUts, kNet});
        one.measure({});
        const Series& series = one.series()[0];
        EXPECT_EQ(series.failure.has_value(), !was_suspended);
        EXPECT_EQ(counted(series) >= 20, was_suspended);
        EXPECT_EQ(one.warnings().size(), was_suspended ? 1U : 0U) << "one for each run";
    }
}

TEST_F(RunnerTest, TellsARuntimeThatCannotFromOneThatBroke) {
    const Case runtime = Case::of(Operation::runtime, Kind::mnt | Kind::pid);
    bool has_done_it = false;
    samplers_.answer = [&](const Case& c, std::uint32_t samples) {
        const protocol::Failure failure{protocol::Call::runtime, ECHILD};
        const std::uint32_t failed = has_done_it ? 1 : 0;
        return Samplers::Answer{
            {c == runtime ? fake_records(samples, failure, failed) : fake_records(samples)}, "runc: no"};
    };
    for (const bool done : {false, true}) {
        has_done_it = done;
        Runner one = runner({runtime});
        one.measure({});
        ASSERT_TRUE(one.series()[0].failure);
        EXPECT_EQ(one.series()[0].failure->error, done ? ECHILD : EOPNOTSUPP);
        EXPECT_EQ(one.series()[0].said, "runc: no");
    }
}

TEST_F(RunnerTest, PutsTheTeardownOfABatchIntoItsSamples) {
    teardown_.result.per_namespace[static_cast<std::size_t>(Kind::net)] = 700;
    Runner one = runner({kUts, kNet});
    one.measure({});
    for (const Sample& sample : one.series()[1].samples.all()) EXPECT_EQ(sample.time(Phase::drain), 700);
    EXPECT_EQ(one.totals().drains, 5U) << "a batch a round";
    EXPECT_EQ(teardown_.waited.size(), 5U);
    EXPECT_EQ(teardown_.waited[0][static_cast<std::size_t>(Kind::net)], 2U);
    EXPECT_EQ(teardown_.waited[1][static_cast<std::size_t>(Kind::net)], 7U);
    EXPECT_EQ(one.totals().drained_samples, 2U + 4 * 7U);
    EXPECT_EQ(one.totals().drains_incomplete, 0U);
    EXPECT_TRUE(one.warnings().empty());
}

TEST_F(RunnerTest, KeepsTheTeardownOfEachBatchOfARound) {
    options_.samples.reset();
    options_.budget = std::chrono::minutes(1);  // it ends as soon as it is precise
    teardown_.of_each = [&](std::size_t batch) {
        env::Drained drained;
        if (batch % 2 == 0)
            drained.per_namespace[static_cast<std::size_t>(Kind::net)] = static_cast<double>(100 + batch);
        drained.complete = batch % 2 == 0;
        return drained;
    };
    Runner one = runner({kNet});
    one.measure({});
    std::map<double, std::size_t> samples;  // by their drain
    for (const Sample& sample : one.series()[0].samples.all()) ++samples[sample.time(Phase::drain)];
    std::size_t seen = 0;
    std::uint64_t taken = 0;
    for (std::size_t batch = 0; batch < teardown_.waited.size(); ++batch) {
        const std::uint32_t left = teardown_.waited[batch][static_cast<std::size_t>(Kind::net)];
        taken += left;
        if (batch % 2 == 0) {
            EXPECT_EQ(samples[static_cast<double>(100 + batch)], left) << batch;
            seen += left;
        }
    }
    EXPECT_EQ(samples[0], taken - seen) << "what was not seen to end has no time";
    EXPECT_GT(teardown_.waited.size(), 2 * one.totals().rounds) << "several batches a round";
    EXPECT_EQ(one.totals().drained_samples, taken);
}

TEST_F(RunnerTest, CountsWhatSamplersAtOnceLeave) {
    Runner one = runner({kNet.with(Parameter::parallel, 3)});
    one.measure({});
    std::uint64_t left = 0;
    for (const env::PendingTeardown& pending : teardown_.waited)
        left += pending[static_cast<std::size_t>(Kind::net)];
    EXPECT_EQ(one.totals().drained_samples, left);
}

TEST_F(RunnerTest, SaysAfterEachRoundHowLongTheRunHasTaken) {
    Before before;
    before.totals.seconds = 1000;
    std::vector<double> seconds;
    Runner one = runner({kUts}, before);
    one.measure({{}, [&] { seconds.push_back(one.totals().seconds); }});
    ASSERT_EQ(seconds.size(), 5U);
    EXPECT_GT(seconds.front(), 1000);
    EXPECT_TRUE(std::ranges::is_sorted(seconds));
    EXPECT_GE(one.totals().seconds, seconds.back());
}

TEST_F(RunnerTest, WaitsLessForTeardownThatDoesNotEnd) {
    using namespace std::chrono_literals;
    teardown_.result.complete = false;
    Runner one = runner({kNet});
    one.measure({});
    EXPECT_EQ(one.totals().drains_incomplete, 5U);
    EXPECT_EQ(teardown_.limits, (std::vector<std::chrono::nanoseconds>{1s, 1s, 1s, 100ms, 100ms}));
    EXPECT_EQ(one.warnings(),
              std::vector<std::string>{"the teardown of some namespaces was not seen to end within 1 s"});
    for (const Sample& sample : one.series()[0].samples.all()) EXPECT_EQ(sample.time(Phase::drain), 0);
}

TEST_F(RunnerTest, WarnsOfTeardownThatDoesNotEndAlsoAfterConditions) {
    teardown_.result.complete = false;
    Runner one = runner({kUts.with(Parameter::netns, 5)});
    one.measure({});
    EXPECT_EQ(one.totals().drains, 0U);
    EXPECT_EQ(one.totals().drains_incomplete, 0U) << "of the batches";
    EXPECT_EQ(one.warnings(),
              std::vector<std::string>{"the teardown of some namespaces was not seen to end within 1 s"});
}

TEST_F(RunnerTest, GoesOnFromWhatWasMeasuredBefore) {
    Before before;
    before.totals.rounds = 2;
    before.totals.drains = 9;
    before.totals.seconds = 1000;
    Series uts{kUts, {}, {}};
    // Round 3 was on disk, and run.json not yet.
    for (const std::uint32_t round : {1U, 2U, 3U}) {
        for (int i = 0; i < 5; ++i) uts.samples.push_back({round, 10 + round, true, {}});
    }
    before.series = {uts, {Case::of(Operation::unshare, Kind::pid), {}, {}}};
    Runner one = runner({kUts}, before);
    EXPECT_EQ(one.series().size(), 2U) << "what is not planned now is left out";
    one.measure({});
    EXPECT_EQ(counted(one.series()[0]), 20U);
    EXPECT_EQ(one.series()[0].samples.back().round, 4U);
    EXPECT_GT(one.series()[0].samples.back().block, 13U);
    EXPECT_EQ(one.totals().rounds, 4U);
    EXPECT_EQ(one.totals().drains, 9U);
    EXPECT_GE(one.totals().seconds, 1000);
}

TEST_F(RunnerTest, TriesAgainWhatTheSamplerOrARuntimeFailedIn) {
    const auto failed = [](const Case& c, protocol::Call call) {
        return Series{c, {}, protocol::Failure{call, ETIMEDOUT}};
    };
    const Before before{{failed(kUts, protocol::Call::sampler), failed(kNet, protocol::Call::unshare)}, {}};
    Runner one = runner({kUts, kNet}, before);
    one.measure({});
    EXPECT_FALSE(one.series()[0].failure);
    EXPECT_EQ(counted(one.series()[0]), 20U);
    EXPECT_TRUE(one.series()[1].failure);
    EXPECT_TRUE(one.series()[1].samples.empty());
}

/// A block that is cut within its lead-in has nothing that counts, however often it is taken.
TEST_F(RunnerTest, GivesALeadInTheTimeThatItTakes) {
    samplers_.answer = [&](const Case& c, std::uint32_t samples) {
        const bool is_cut = samplers_.asked.back().limit <= std::chrono::seconds(10);
        return Samplers::Answer{std::vector<Records>(c.at_once(), fake_records(is_cut ? 1 : samples)), ""};
    };
    options_.alone = true;
    Runner one = runner({kNone});
    one.measure({});
    EXPECT_EQ(counted(one.series()[0]), 20U);
    EXPECT_EQ(one.warnings(),
              std::vector<std::string>{
                  "unshare/none: a block took longer than 5 s and was cut short, so that it has "
                  "fewer samples"});
}

/// However little of the budget is left: it is looked at before a block.
TEST_F(RunnerTest, TakesEachBlockWhole) {
    using namespace std::chrono_literals;
    options_ = {};
    options_.budget = 4s;
    options_.samples = 320;
    Runner one = runner({kUts, kNet});
    one.measure({});
    ASSERT_GT(samplers_.asked.size(), 3U);
    for (std::size_t i = 0; i < samplers_.asked.size(); ++i) {
        const FakeSamplers::Asked& asked = samplers_.asked[i];
        const BlockShape shape = shape_of(asked.c, {});
        EXPECT_GT(asked.limit, *options_.budget);
        EXPECT_LE(asked.samples, shape.lead_in + shape.samples);
        if (i >= 3) {
            EXPECT_GT(asked.samples, shape.lead_in);
        } else {
            EXPECT_EQ(asked.samples, 2U) << "the warm-up";
        }
    }
}

TEST_F(RunnerTest, EndsWithItsBudget) {
    options_.samples.reset();
    options_.budget = std::chrono::nanoseconds(1);
    Runner one = runner({kUts});
    one.measure({});
    EXPECT_TRUE(samplers_.asked.empty());
    EXPECT_EQ(one.totals().rounds, 0U);
}

TEST_F(RunnerTest, MarksEachCountedRoundAroundItsBlocks) {
    FakeMarkers::Log log;
    Before before;
    before.totals.rounds = 1;
    before.totals.marks.emplace_back().round = 1;
    Runner one(options_, Cases::of({kUts, kNet}, false, false), samplers_,
               Draining(std::make_unique<FakeTeardown>(teardown_)), before,
               std::make_unique<FakeMarkers>(log, samplers_));
    one.measure({});
    EXPECT_EQ(log.begun, 4);
    EXPECT_EQ(log.ended, (std::vector<std::uint32_t>{2, 3, 4, 5}));
    // Three blocks of warm-up, and three in each round between its two ends.
    EXPECT_EQ(log.asked, (std::vector<std::size_t>{3, 6, 6, 9, 9, 12, 12, 15}));
    ASSERT_EQ(one.totals().marks.size(), 5U);
    EXPECT_EQ(one.totals().marks.front().round, 1U);
    EXPECT_EQ(one.totals().marks.back().others, 5);
}

}  // namespace
}  // namespace nsb::run
