#include "core/series.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "core/test_samples.h"

namespace nsb {
namespace {

/// One counted sample per round and value, after a warm-up that would change every figure if it counted.
Series series_of(const Case& c, const std::vector<double>& values) {
    Series series{c, {}, {}};
    series.samples.push_back(alike({0, 0, false}, 1e9));
    std::uint32_t round = 0;
    for (const double value : values) series.samples.push_back(alike({++round, 0, true}, value));
    return series;
}

/// As where none was seen.
Series without_drain(const Series& series) {
    Series left{series.measured, {}, {}};
    for (Sample sample : series.samples.all()) {
        sample.times[static_cast<std::size_t>(Phase::drain)] = 0;
        left.samples.push_back(sample);
    }
    return left;
}

const Row& row_of(const std::vector<Row>& rows, Phase phase) {
    return *std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.phase == phase; });
}

TEST(RowsOf, TakeDifferencesToTheBasesOfTheRun) {
    const Case through = Case::of(Operation::unshare, Kind::uts | Kind::user);
    const std::vector<Series> series{series_of(through, {5, 5, 5, 5, 5, 5}),
                                     series_of(Case::of(Operation::unshare, Kind::user), {3, 3, 3, 3, 3, 3}),
                                     series_of(Case::of(Operation::unshare, {}), {1, 1, 1, 1, 1, 1})};
    RowContext context;
    const auto delta = [&] { return *row_of(rows_of(series, 3, context), Phase::create).delta; };
    EXPECT_DOUBLE_EQ(delta().value, 4);
    EXPECT_EQ(to_string(delta().base), "unshare/none");
    context.base_set = base_set(true);
    EXPECT_DOUBLE_EQ(delta().value, 2);
    EXPECT_EQ(to_string(delta().base), "unshare/NEWUSER");
    const auto rows = rows_of(series, 3, context);
    EXPECT_EQ(std::ranges::count_if(rows, [](const Row& row) { return row.delta.has_value(); }), 4)
        << "create, exit, total and drain of the first: NEWUSER alone has no base then, nor has none";
}

TEST(RowsOf, CompareACaseThatKeepsItsRoundsWithTheBaseInAllOfThem) {
    const std::vector<Series> series{
        series_of(Case::of(Operation::unshare, Kind::uts), {5, 6, 7, 8, 9, 10}),
        series_of(Case::of(Operation::unshare, {}), {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})};
    RowContext context;
    context.left_out = {1, 2};
    const Row row = row_of(rows_of(series, 1, context), Phase::create);
    EXPECT_DOUBLE_EQ(row.figures->median, 7.5);
    EXPECT_DOUBLE_EQ(row.delta->value, 6.5);
    EXPECT_TRUE(row.delta->ci);
}

TEST(MakeRows, LeavesWarmUpsOut) {
    const auto rows =
        make_rows(series_of(Case::of(Operation::clone, {}), {10, 10, 10, 10, 10, 10}), nullptr, {});
    const Row& row = row_of(rows, Phase::create);
    EXPECT_EQ(row.status, Status::ok);
    EXPECT_EQ(row.figures->samples, 6U);
    EXPECT_DOUBLE_EQ(row.figures->max, 10);
}

TEST(MakeRows, HasNoDeltaToAPhaseThatTheBaseHasNot) {
    const Series ours = series_of(*parse_case("container/NEWNS-NEWPID"), {10, 20, 30, 40, 50, 60});
    const Series theirs = series_of(*parse_case("runtime/NEWNS-NEWPID/by:crun"), {11, 22, 33, 44, 55, 66});
    const auto rows = make_rows(theirs, &ours, {});
    EXPECT_DOUBLE_EQ(row_of(rows, Phase::start).delta->value, 3.5);
    EXPECT_TRUE(row_of(rows, Phase::total).delta);
    EXPECT_FALSE(row_of(rows, Phase::load).delta);
    EXPECT_FALSE(row_of(rows, Phase::cpu).delta);
}

/// Two rounds of one value on each machine, numbered from 1.
Series on_machines(const Case& c, const std::vector<double>& values) {
    Series series{c, {}, {}};
    std::uint32_t machine = 0;
    for (const double value : values) {
        ++machine;
        for (std::uint32_t round = 1; round <= 2; ++round) {
            series.samples.push_back(alike({round, 0, true, {}, machine}, value));
        }
    }
    return series;
}

TEST(MakeRows, TakesTheMedianOfMachinesAndHowFarTheyLieApart) {
    const Series none = on_machines(Case::of(Operation::clone, {}), {100, 110, 130});
    const Series pid = on_machines(Case::of(Operation::clone, Kind::pid), {120, 131, 180});
    const auto rows = make_rows(pid, &none, {});
    const Row& row = row_of(rows, Phase::create);
    EXPECT_EQ(row.machines, 3U);
    EXPECT_DOUBLE_EQ(row.figures->median, 131);
    EXPECT_DOUBLE_EQ(*row.resolution, 49);
    // Each machine's difference is to its own base: 20, 21, 50.
    EXPECT_DOUBLE_EQ(row.delta->value, 21);
    EXPECT_DOUBLE_EQ(*row.delta->resolution, 29);
}

TEST(MakeRows, OneMachineHasNoResolution) {
    const auto rows = make_rows(on_machines(Case::of(Operation::clone, {}), {100}), nullptr, {});
    EXPECT_EQ(row_of(rows, Phase::create).machines, 1U);
    EXPECT_FALSE(row_of(rows, Phase::create).resolution);
    const auto host = make_rows(series_of(Case::of(Operation::clone, {}), {1, 2, 3}), nullptr, {});
    EXPECT_EQ(row_of(host, Phase::create).machines, 0U);
}

TEST(MakeRows, SaysWhatARuntimeSaid) {
    Series series{*parse_case("runtime/NEWNS-NEWPID/by:crun"),
                  {},
                  protocol::Failure{protocol::Call::runtime, EOPNOTSUPP},
                  "crun: no"};
    EXPECT_EQ(make_rows(series, nullptr, {}).front().reason, "crun: no");
    EXPECT_EQ(make_rows(series, nullptr, {}).front().status, Status::skipped);
    series.said.clear();
    series.failure->error = ECHILD;
    EXPECT_NE(make_rows(series, nullptr, {}).front().reason.find("did not start the program"),
              std::string::npos);
    EXPECT_EQ(make_rows(series, nullptr, {}).front().status, Status::failed);
}

TEST(MakeRows, PairsTheDeltaByRoundSoThatDriftCancels) {
    const Series none = series_of(Case::of(Operation::clone, {}), {10, 20, 30, 40, 50, 60});
    const Series pid = series_of(Case::of(Operation::clone, Kind::pid), {13, 23, 33, 43, 53, 63});
    const Row row = row_of(make_rows(pid, &none, {}), Phase::create);
    ASSERT_TRUE(row.delta && row.delta->ci);
    EXPECT_EQ(row.delta->base, none.measured);
    EXPECT_DOUBLE_EQ(row.delta->value, 3);
    EXPECT_DOUBLE_EQ(row.delta->ci->low, 3);
    EXPECT_DOUBLE_EQ(row.delta->ci->high, 3);
    EXPECT_EQ(row.status, Status::imprecise);
}

TEST(MakeRows, GivesTheDeltaTheIntervalOfRoundsThatFollowEachOther) {
    std::vector<double> base(40, 100);
    std::vector<double> own;
    for (int round = 0; round < 40; ++round) own.push_back(round < 20 ? 200 + round % 5 : 240 + round % 5);
    std::vector<double> scattered = own;
    for (std::size_t at = 0; at < 20; at += 2) std::swap(scattered[at], scattered[at + 20]);
    const auto width = [&](const std::vector<double>& values, TickClock clock) {
        RowContext context;
        context.clock = clock;
        const Series none = series_of(Case::of(Operation::unshare, {}), base);
        const auto rows =
            make_rows(series_of(Case::of(Operation::unshare, Kind::uts), values), &none, context);
        const Interval ci = *row_of(rows, Phase::create).delta->ci;
        return ci.high - ci.low;
    };
    EXPECT_GT(width(own, TickClock::wall), width(scattered, TickClock::wall));
    EXPECT_EQ(width(own, TickClock::instructions), width(scattered, TickClock::instructions));
}

TEST(MakeRows, GivesAFailedCaseAnErrnoAndNoFigure) {
    Series series = series_of(Case::of(Operation::clone, Kind::pid), {10, 10, 10, 10, 10, 10});
    series.failure = protocol::Failure{protocol::Call::clone, ENOSPC};
    for (const Row& row : make_rows(series, nullptr, {})) {
        EXPECT_EQ(row.status, Status::failed);
        EXPECT_FALSE(row.figures);
        EXPECT_EQ(row.error, "ENOSPC");
        EXPECT_NE(row.reason.find("max_*_namespaces"), std::string::npos);
    }
    series.failure->error = EPERM;
    EXPECT_EQ(make_rows(series, nullptr, {}).front().status, Status::skipped);
}

TEST(MakeRows, SaysWhyADrainIsMissing) {
    const Series series =
        without_drain(series_of(Case::of(Operation::clone, Kind::net), {10, 10, 10, 10, 10, 10}));
    const Row row = row_of(make_rows(series, nullptr, {0.02, Unseen{EPERM, "no tracefs"}, {}}), Phase::drain);
    EXPECT_EQ(row.status, Status::skipped);
    EXPECT_EQ(row.error, "EPERM");
    EXPECT_EQ(row.reason, "no tracefs");
}

TEST(MakeRows, ACaseNeverReachedSaysSo) {
    const Row row = make_rows(series_of(Case::of(Operation::clone, {}), {}), nullptr, {}).front();
    EXPECT_EQ(row.status, Status::skipped);
    EXPECT_NE(row.reason.find("--budget"), std::string::npos);
}

TEST(MakeRows, ByInstructionsTheMediansOfRoundsAreIndependent) {
    const Series series = series_of(Case::of(Operation::clone, {}), {10, 20, 30, 40, 50, 60});
    RowContext context;
    context.clock = TickClock::instructions;
    const Figures figures = *row_of(make_rows(series, nullptr, context), Phase::create).figures;
    EXPECT_DOUBLE_EQ(figures.ci->low, 10);
    EXPECT_DOUBLE_EQ(figures.ci->high, 60);
    const Figures drifting = *row_of(make_rows(series, nullptr, {}), Phase::create).figures;
    EXPECT_DOUBLE_EQ(drifting.ci->low, 0) << "no time is below it";
    EXPECT_GT(drifting.ci->high, 60);
}

TEST(IsPrecise, IsWhatTheRowsSayWithoutDrain) {
    Series series =
        without_drain(series_of(Case::of(Operation::clone, Kind::net), {100, 101, 100, 101, 100, 101}));
    EXPECT_TRUE(is_precise(series, {0.1, {}, {}})) << "in spite of the warm-up";
    EXPECT_FALSE(is_precise(series, {0.001, {}, {}}));
    Sample slow = alike({6, 0, true}, 100);
    slow.times[static_cast<std::size_t>(Phase::create)] = 2000;
    slow.times[static_cast<std::size_t>(Phase::drain)] = 0;
    for (int i = 0; i < 2; ++i) series.samples.push_back(slow);
    EXPECT_FALSE(is_precise(series, {0.1, {}, {}}));
}

TEST(Looks, CountWholeRoundsAndLeaveWarmUpsOut) {
    Series series = series_of(Case::of(Operation::clone, {}), {10, 20});
    Looks looks;
    looks.extend(series);
    EXPECT_EQ(looks.rounds(), 2U);
    for (const double value : {1.0, 3.0, 8.0}) series.samples.push_back(alike({3, 0, true}, value));
    looks.extend(series);
    looks.extend(series);
    EXPECT_EQ(looks.counted(), 5U);
    EXPECT_EQ(looks.rounds(), 3U);
}

TEST(Looks, ComeAfterTwiceAsManyRounds) {
    Series series = series_of(Case::of(Operation::clone, {}), {});
    Looks looks;
    std::vector<std::uint32_t> looked;
    for (std::uint32_t round = 1; round <= 70; ++round) {
        series.samples.push_back(alike({round, round, true}, 100));
        looks.extend(series);
        const bool is_due = looks.is_due();
        const bool was = looks.is_precise();
        // By turns precise and not, so that each look is seen.
        looks.look(series, {was ? -1 : 0.02, {}, {}});
        EXPECT_EQ(looks.is_precise() != was, is_due) << round;
        EXPECT_FALSE(looks.is_due()) << "it has just been looked at";
        if (looks.is_precise() != was) looked.push_back(round);
    }
    EXPECT_EQ(looked, (std::vector<std::uint32_t>{kMinRounds, 16, 32, 64}));
}

TEST(Looks, FindWhatTheyFoundBeforeTheRunWasTakenUpAgain) {
    for (const bool is_precise_first : {true, false}) {
        Series series = series_of(Case::of(Operation::clone, {}), {});
        Looks before;
        for (std::uint32_t round = 1; round <= 50; ++round) {
            const bool is_alike = (round <= 32) == is_precise_first;
            series.samples.push_back(alike({round, round, true}, is_alike || round % 2 == 0 ? 100 : 900));
            before.extend(series);
            before.look(series, {0.02, {}, {}});
            Looks again;
            again.extend(series);
            again.look(series, {0.02, {}, {}});
            EXPECT_EQ(again.is_precise(), before.is_precise()) << round;
            EXPECT_FALSE(again.is_due());
        }
        EXPECT_EQ(before.is_precise(), is_precise_first);
    }
}

TEST(Looks, LeaveOutWhatRowsLeaveOut) {
    const Series series = series_of(Case::of(Operation::clone, {}),
                                    {10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 90, 90, 90, 90});
    for (const bool is_left_out : {false, true}) {
        RowContext context{0.02, {}, {}};
        if (is_left_out) context.left_out = {13, 14, 15, 16};
        Looks looks;
        looks.extend(series);
        looks.look(series, context);
        EXPECT_EQ(looks.is_precise(), is_left_out);
    }
}

}  // namespace
}  // namespace nsb
