#include "report/digest.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "report/cells.h"
#include "report/lines.h"

namespace nsb::report {
namespace {

const DigestRun kRun{{"20260101T000000Z-0", "6.1.0", TickClock::wall}, "0.1.0", "a CPU", 0.02, 16, 60.04, 7};

Case clone(KindSet set) {
    return Case::of(Operation::clone, set);
}
Case unshare(KindSet set) {
    return Case::of(Operation::unshare, set);
}

Row row_of(const Case& c, double median) {
    Row row;
    row.measured = c;
    row.phase = c.phases().front();
    row.figures = Figures{};
    row.figures->median = median;
    row.figures->ci = Interval{median * 0.98, median * 1.03};
    row.status = Status::imprecise;
    return row;
}

Row adds(const Case& c, const Case& base, double value, double half) {
    Row row = row_of(c, 33000 + value);
    row.delta = Delta{value, Interval{value - half, value + half}, std::nullopt, base};
    return row;
}

Row missing(const Case& c, std::string error, std::string reason) {
    Row row;
    row.measured = c;
    row.phase = c.phases().front();
    row.status = Status::skipped;
    row.error = std::move(error);
    row.reason = std::move(reason);
    return row;
}

std::vector<Row> rows() {
    std::vector<Row> all{row_of(clone({}), 33000),
                         row_of(clone({}).with(Parameter::stack, 64U << 20U), 34000),
                         adds(clone(Kind::pid), clone({}), 3050, 60),
                         adds(clone(Kind::net), clone({}), 341000, 1500),
                         missing(clone(Kind::time), "ENOSYS", "clone3: Function not implemented"),
                         adds(clone(Kind::user), clone({}), -120, 400),
                         adds(clone(Kind::net | Kind::pid), clone({}), 350000, 1500),
                         adds(unshare(Kind::pid), unshare({}), 3500, 80),
                         adds(unshare(Kind::net), unshare({}), 328000, 900),
                         row_of(Case::of(Operation::setns, Kind::net), 1860),
                         row_of(Case::of(Operation::setns, Kind::pid), 2400),
                         row_of(Case::of(Operation::proc_remount, Kind::mnt | Kind::pid), 16600)};
    all[0].status = Status::ok;
    return all;
}

std::string shown(const std::vector<Row>& rows, const DigestStyle& style, const DigestRun& run = kRun,
                  KindSet base_set = {}) {
    const std::vector<Row> bases{row_of(unshare(base_set), 302)};
    return digest_text(run, digest_of(rows, bases, base_set), style);
}

TEST(DigestText, Golden80) {
    EXPECT_EQ(shown(rows(), {80, false}), R"(figures with their 95% interval

clone · create: what each kind adds to none
NEWNET    +341 µs  340 µs … 343 µs    ██████████████████████████████████████████
NEWPID   +3.05 µs  2.99 µs … 3.11 µs  ▍
NEWUSER   −120 ns  −520 ns … 280 ns
NEWTIME  skipped: ENOSYS

unshare · create: what each kind adds to none
NEWNET   +328 µs  327 µs … 329 µs    ███████████████████████████████████████████
NEWPID  +3.50 µs  3.42 µs … 3.58 µs  ▌

setns · switch: what it takes with each kind
NEWPID  2.40 µs  2.35 µs … 2.47 µs  ████████████████████████████████████████████
NEWNET  1.86 µs  1.82 µs … 1.92 µs  ██████████████████████████████████▏

proc_remount · mount: NEWNS-NEWPID takes  16.6 µs  16.3 µs … 17.1 µs

clone, sets of several kinds: 0 of 1 agree with the sum of their kinds; furthest
  from it:
  NEWNET-NEWPID: 5.95 µs more (2.89 µs … 9.01 µs)
skipped: 1 case: ENOSYS: clone3: Function not implemented
1 of 12 cases within 2% in every phase (~: not that column)
none takes: clone create 33.0 µs (33.0 µs … 34.0 µs in 2 cases), unshare create
  302 ns
)");
}

TEST(DigestText, Golden120) {
    EXPECT_EQ(shown(rows(), {120, false}), R"(figures with their 95% interval

clone · create: what each kind adds to none                   unshare · create: what each kind adds to none
NEWNET    +341 µs  340 µs … 343 µs    ████████████████████    NEWNET   +328 µs  327 µs … 329 µs    █████████████████████
NEWPID   +3.05 µs  2.99 µs … 3.11 µs  ▏                       NEWPID  +3.50 µs  3.42 µs … 3.58 µs  ▎
NEWUSER   −120 ns  −520 ns … 280 ns
NEWTIME  skipped: ENOSYS

setns · switch: what it takes with each kind
NEWPID  2.40 µs  2.35 µs … 2.47 µs  ██████████████████████
NEWNET  1.86 µs  1.82 µs … 1.92 µs  █████████████████

proc_remount · mount: NEWNS-NEWPID takes  16.6 µs  16.3 µs … 17.1 µs

clone, sets of several kinds: 0 of 1 agree with the sum of their kinds; furthest from it:
  NEWNET-NEWPID: 5.95 µs more (2.89 µs … 9.01 µs)
skipped: 1 case: ENOSYS: clone3: Function not implemented
1 of 12 cases within 2% in every phase (~: not that column)
none takes: clone create 33.0 µs (33.0 µs … 34.0 µs in 2 cases), unshare create 302 ns
)");
}

TEST(DigestText, Golden200) {
    EXPECT_EQ(shown(rows(), {200, false, false}), R"(figures with their 95% interval

clone · create: what each kind adds to none                         unshare · create: what each kind adds to none                       setns · switch: what it takes with each kind
NEWNET    +341 µs  340 µs … 343 µs    ██████████████████████████    NEWNET   +328 µs  327 µs … 329 µs    ███████████████████████████    NEWPID  2.40 µs  2.35 µs … 2.47 µs  ████████████████████████████
NEWPID   +3.05 µs  2.99 µs … 3.11 µs  ▎                             NEWPID  +3.50 µs  3.42 µs … 3.58 µs  ▎                              NEWNET  1.86 µs  1.82 µs … 1.92 µs  █████████████████████▊
NEWUSER   −120 ns  −520 ns … 280 ns
NEWTIME  skipped: ENOSYS

proc_remount · mount: NEWNS-NEWPID takes  16.6 µs  16.3 µs … 17.1 µs

clone, sets of several kinds: 0 of 1 agree with the sum of their kinds; furthest from it:
  NEWNET-NEWPID: 5.95 µs more (2.89 µs … 9.01 µs)
skipped: 1 case: ENOSYS: clone3: Function not implemented
1 of 12 cases within 2% in every phase
10 of 12 cases stand above by themselves; the table, --csv and --out have all
none takes: clone create 33.0 µs (33.0 µs … 34.0 µs in 2 cases), unshare create 302 ns
)");
}

TEST(DigestText, FitsAnyWidth) {
    for (std::size_t width = 80; width <= 240; width += 7) {
        std::istringstream lines(shown(rows(), {width, false}));
        for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), width) << line;
    }
}

TEST(DigestText, HasColoursOnlyWhereAskedFor) {
    const std::string coloured = shown(rows(), {120, true});
    std::string plain;
    for (std::size_t i = 0; i < coloured.size(); ++i) {
        if (coloured[i] == '\033') {
            i = coloured.find('m', i);
        } else {
            plain += coloured[i];
        }
    }
    EXPECT_EQ(plain, shown(rows(), {120, false}));
    EXPECT_NE(coloured.find("\033[36m█"), std::string::npos) << "bars";
}

TEST(DigestText, OfOneKindIsALineForEachOperation) {
    std::vector<Row> of_pid;
    for (const Row& row : rows()) {
        if (row.measured.set.contains(Kind::pid) && row.measured.set != (Kind::net | Kind::pid))
            of_pid.push_back(row);
    }
    EXPECT_EQ(shown(of_pid, {80, false}), R"(figures with their 95% interval

clone · create: NEWPID adds to none       +3.05 µs  2.99 µs … 3.11 µs
unshare · create: NEWPID adds to none     +3.50 µs  3.42 µs … 3.58 µs
setns · switch: NEWPID takes               2.40 µs  2.35 µs … 2.47 µs
proc_remount · mount: NEWNS-NEWPID takes   16.6 µs  16.3 µs … 17.1 µs

0 of 4 cases within 2% in every phase (~: not that column)
none takes: unshare create 302 ns
)");
}

TEST(DigestText, OfSetnsAlone) {
    EXPECT_EQ(digest_text(kRun, digest_of(std::vector{rows()[9], rows()[10]}, {}, {}), {80, false}),
              R"(figures with their 95% interval

setns · switch: what it takes with each kind
NEWPID  2.40 µs  2.35 µs … 2.47 µs  ████████████████████████████████████████████
NEWNET  1.86 µs  1.82 µs … 1.92 µs  ██████████████████████████████████▏

0 of 2 cases within 2% in every phase (~: not that column)
)");
}

TEST(DigestText, WhereAllIsMissing) {
    const std::vector<Row> none{missing(clone(Kind::pid), "EPERM", "clone: Operation not permitted"),
                                missing(clone(Kind::net), "EPERM", "clone: Operation not permitted")};
    EXPECT_EQ(digest_text(kRun, digest_of(none, {}, {}), {80, false}), R"(figures with their 95% interval

clone · create: what it takes with each kind
NEWPID  skipped: EPERM
NEWNET  skipped: EPERM

skipped: 2 cases: EPERM: clone: Operation not permitted
0 of 2 cases within 2% in every phase (~: not that column)
)");
}

TEST(DigestText, ThroughAUserNamespace) {
    const std::vector<Row> through{adds(unshare(Kind::pid | Kind::user), unshare(Kind::user), 3500, 80),
                                   adds(unshare(Kind::net | Kind::user), unshare(Kind::user), 328000, 900)};
    EXPECT_EQ(shown(through, {80, false}, kRun, Kind::user), R"(figures with their 95% interval

unshare · create: what each kind adds to NEWUSER
NEWNET   +328 µs  327 µs … 329 µs    ███████████████████████████████████████████
NEWPID  +3.50 µs  3.42 µs … 3.58 µs  ▌

0 of 2 cases within 2% in every phase (~: not that column)
NEWUSER takes: unshare create 302 ns
)");
}

TEST(DigestText, OfTheLabHasResolutions) {
    std::vector<Row> lab{adds(clone(Kind::pid), clone({}), 12000, 0),
                         adds(clone(Kind::net), clone({}), 1234567, 0)};
    for (Row& row : lab) row.delta->resolution = 1200;
    DigestRun run = kRun;
    run.identity.clock = TickClock::instructions;
    run.has_machines = true;
    EXPECT_EQ(digest_text(run, digest_of(lab, {}, {}), {80, false}),
              R"(figures in instructions executed, with how far saved machines vary

clone · create: what each kind adds to none
NEWNET  +1.23 M  ±1.20 k  ████████████████████████████████████████████████
NEWPID  +12.0 k  ±1.20 k  ▌

0 of 2 cases within 2% in every phase (~: not that column)
)");
}

TEST(DigestText, SaysWhereRoundsAreTooFew) {
    std::vector<Row> few{adds(clone(Kind::pid), clone({}), 3050, 60),
                         adds(clone(Kind::net), clone({}), 341000, 1)};
    few[0].delta->ci.reset();
    const std::string said = digest_text(kRun, digest_of(few, {}, {}), {80, false});
    EXPECT_EQ(said.find("figures with their 95% interval (?: it takes 6 rounds)\n"), 0U) << said;
    EXPECT_NE(said.find("NEWPID  +3.05 µs  ?  "), std::string::npos) << said;
}

TEST(DigestText, SaysWhatKindsShare) {
    std::vector<Row> all;
    const std::vector<Kind> kinds{Kind::mnt, Kind::uts, Kind::ipc, Kind::pid};
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        all.push_back(adds(unshare(kinds[i]), unshare({}), 1000, 1));
        for (std::size_t j = 0; j < i; ++j)
            all.push_back(adds(unshare(kinds[i] | kinds[j]), unshare({}), 1400, 1));
    }
    const auto said = [&] { return digest_text(kRun, digest_of(all, {}, {}), {200, false}); };
    EXPECT_NE(
        said().find("unshare: kinds share a cost: two together add 600 ns less than their sum (middle of 6 "
                    "pairs; its 95% interval 600 ns … 600 ns)\nunshare, sets of several kinds: 6 of 6 agree "
                    "with the sum of their kinds, less what these share\n"),
        std::string::npos)
        << said();
    EXPECT_EQ(said().find("together add 2"), std::string::npos) << "all kinds were not measured";
    all.push_back(adds(unshare(KindSet::all()), unshare({}), 9000, 1));
    for (const Kind kind : {Kind::cgroup, Kind::net, Kind::time, Kind::user})
        all.push_back(adds(unshare(kind), unshare({}), 1000, 1));
    EXPECT_NE(said().find("unshare: all kinds together add 9.00 µs, 4.60 µs more than the sum of its kinds "
                          "(4.59 µs … 4.61 µs)\n"),
              std::string::npos)
        << said();
    std::erase_if(all, [](const Row& row) { return row.measured.set == (Kind::mnt | Kind::pid); });
    EXPECT_EQ(said().find("share a cost"), std::string::npos) << said();
}

TEST(DigestMarkdown, Golden) {
    const std::vector<Row> bases{row_of(unshare({}), 302)};
    DigestRun run = kRun;
    run.warnings = {"load: 4.15 on 2 CPUs"};
    EXPECT_EQ(digest_markdown(run, digest_of(rows(), bases, {})),
              R"(## What namespaces cost: kernel 6.1.0, a CPU

### clone · create: what each kind adds to none

| kind | adds | 95% interval |
|---|---:|---|
| NEWNET | +341 µs | 340 µs … 343 µs |
| NEWPID | +3.05 µs | 2.99 µs … 3.11 µs |
| NEWUSER | −120 ns | −520 ns … 280 ns |
| NEWTIME | | skipped: ENOSYS |

### unshare · create: what each kind adds to none

| kind | adds | 95% interval |
|---|---:|---|
| NEWNET | +328 µs | 327 µs … 329 µs |
| NEWPID | +3.50 µs | 3.42 µs … 3.58 µs |

### setns · switch: what it takes with each kind

| kind | takes | 95% interval |
|---|---:|---|
| NEWPID | 2.40 µs | 2.35 µs … 2.47 µs |
| NEWNET | 1.86 µs | 1.82 µs … 1.92 µs |

### proc_remount · mount: what it takes with each set

| set | takes | 95% interval |
|---|---:|---|
| NEWNS-NEWPID | 16.6 µs | 16.3 µs … 17.1 µs |

- clone, sets of several kinds: 0 of 1 agree with the sum of their kinds; furthest from it:
  - NEWNET-NEWPID: 5.95 µs more (2.89 µs … 9.01 µs)
- skipped: 1 case: ENOSYS: clone3: Function not implemented
- 1 of 12 cases within 2% in every phase
- 10 of 12 cases stand above by themselves; the table, --csv and --out have all
- none takes: clone create 33.0 µs (33.0 µs … 34.0 µs in 2 cases), unshare create 302 ns
- warning: load: 4.15 on 2 CPUs

nsbench 0.1.0, run 20260101T000000Z-0: 16 rounds in 60.0 s, seed 7
)");
}

TEST(DigestJson, IsStable) {
    const std::vector<Row> bases{row_of(unshare({}), 302)};
    const auto json = nlohmann::ordered_json::parse(digest_json(kRun, digest_of(rows(), bases, {})));
    std::vector<std::string> members;
    for (const auto& [name, value] : json.items()) members.push_back(name);
    EXPECT_EQ(members,
              (std::vector<std::string>{
                  "digest_version", "nsbench_version", "run_id",        "kernel",     "machine", "clock",
                  "unit",           "state",           "repeats",       "rounds",     "seconds", "seed",
                  "precision",      "cases",           "precise",       "operations", "bases",   "missing",
                  "warnings",       "shown",           "interrupted_by"}));
    const auto& block = json["operations"][0];
    EXPECT_EQ(block["figure"], "adds");
    EXPECT_EQ(block["base"], "clone/none/stack:1M");
    EXPECT_EQ(
        block["entries"][0].dump(),
        R"({"case":"clone/NEWNET/stack:1M","kinds":["NEWNET"],"value":341000.0,"interval_95":{"low":339500.0,)"
        R"("high":342500.0},"resolution":null,"status":"imprecise","errno":null,"reason":null})");
    EXPECT_EQ(
        block["entries"][3].dump(),
        R"({"case":"clone/NEWTIME/stack:1M","kinds":["NEWTIME"],"value":null,"interval_95":null,)"
        R"("resolution":null,"status":"skipped","errno":"ENOSYS","reason":"clone3: Function not implemented"})");
    EXPECT_EQ(block["sums"]["not_following"][0].dump(),
              R"({"case":"clone/NEWNET-NEWPID/stack:1M","kinds":["NEWNET","NEWPID"],"adds":350000.0,)"
              R"("beside_the_sum":5950.0,"low":2890.0,"high":9010.0})");
    EXPECT_EQ(json["operations"][3]["figure"], "takes");
    EXPECT_EQ(json["bases"][0]["cases"], 2);
    EXPECT_EQ(json["missing"][0]["cases"], 1);
    DigestRun odd = kRun;
    odd.machine = "\xff";
    EXPECT_EQ(nlohmann::json::parse(digest_json(odd, {}))["machine"], "\uFFFDFF");
}

}  // namespace
}  // namespace nsb::report
