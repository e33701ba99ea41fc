// How errors and rows end nsbench: by one judgement.
#include "cli/outcome.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "cli/commands.h"
#include "core/failure.h"
#include "core/repeats.h"
#include "core/test_samples.h"
#include "isolate/container.h"
#include "report/table.h"
#include "sys/file.h"

namespace nsb::cli {
namespace {

constexpr auto kLimits = std::to_array<int>({EAGAIN, EMFILE, ENFILE, ENOMEM, ENOSPC, EFBIG});

Row failed_row(int error) {
    Row row;
    row.measured = Case::of(Operation::clone, Kind::pid);
    row.status = Status::failed;
    row.error = errno_name(error);
    row.reason = explain({protocol::Call::clone, error});
    return row;
}

TEST(Outcome, ALimitEndsARowAndAnErrorAlike) {
    for (const int error : kLimits) {
        const Row row = failed_row(error);
        const Ending ending = ending_of(isolate::NotTaken("clone", error));
        EXPECT_EQ(exit_code({}, {row}), kNotPermitted) << row.error;
        EXPECT_EQ(ending.code, kNotPermitted) << row.error;
        const std::string words(limit_behind_call(error));
        EXPECT_NE(ending.line.find(words), std::string::npos) << ending.line;
        EXPECT_NE(row.reason.find(words), std::string::npos) << row.reason;
    }
    for (const int error : {EIO, ECHILD, ETIMEDOUT}) {
        EXPECT_EQ(exit_code({}, {failed_row(error)}), kFailed);
        EXPECT_EQ(ending_of(isolate::NotTaken("clone", error)).code, kFailed);
    }
    EXPECT_EQ(exit_code({}, {failed_row(ENOMEM), failed_row(EIO)}), kFailed);
}

Row row_of(Status status, int error = 0, Phase phase = Phase::create) {
    Row row;
    row.measured = Case::of(Operation::unshare, Kind::net);
    row.phase = phase;
    row.status = status;
    if (error != 0) row.error = errno_name(error);
    return row;
}

TEST(Outcome, WithoutAFigureNothingIsMeasured) {
    const Row too_late = row_of(Status::skipped);
    const Row refused = row_of(Status::skipped, EPERM);
    const Row unseen = row_of(Status::skipped, EPERM, Phase::drain);
    for (const Row& figure : {row_of(Status::ok), row_of(Status::imprecise)}) {
        EXPECT_EQ(exit_code({}, {figure, unseen}), kMeasured);
        EXPECT_EQ(exit_code({}, {too_late, refused, figure}), kMeasured);
    }
    EXPECT_EQ(exit_code({}, {too_late, row_of(Status::skipped, 0, Phase::drain)}), kFailed);
    EXPECT_EQ(exit_code({}, {refused, too_late}), kFailed) << "more time reaches it";
    EXPECT_EQ(exit_code({}, {refused, unseen}), kNotPermitted);
    EXPECT_EQ(exit_code({}, {}), kNotPermitted);
    run::RunInfo interrupted;
    interrupted.interrupted_by = SIGINT;
    EXPECT_EQ(exit_code(interrupted, {too_late}), kBySignal + SIGINT);
}

TEST(Outcome, ALimitOfAConditionIsNamedAndEndsNsbenchAsAnyLimitDoes) {
    Row row = failed_row(ENOSPC);
    row.reason = explain({protocol::Call::set_mounts, ENOSPC});
    EXPECT_EQ(exit_code({}, {row}), kNotPermitted);
    EXPECT_EQ(row.reason,
              "mounts: mount: No space left on device (fs.mount-max "
              "(sysctl -w fs.mount-max=1000000) or user.max_mnt_namespaces is reached)");
    const std::string delegated = explain({protocol::Call::set_cgroups, EACCES});
    EXPECT_NE(delegated.find("Delegate=yes"), std::string::npos) << delegated;
    const std::string folder = explain({protocol::Call::mount_tmpfs, ENOENT});
    EXPECT_NE(folder.find("mkdir /tmp"), std::string::npos) << folder;
    // What has no words of its own has those of any call.
    const std::string processes = explain({protocol::Call::set_procs, EAGAIN});
    EXPECT_NE(processes.find("RLIMIT_NPROC"), std::string::npos) << processes;
}

TEST(Outcome, AFileRefusesForReasonsOfItsOwn) {
    const auto ending = [](const char* call, int error) {
        // As a run's folder says it, too.
        const sys::SystemError plain(call, "a.csv", error);
        const Ending within = ending_of(sys::SystemError("run", plain));
        Ending alone = ending_of(plain);
        EXPECT_EQ(within.code, alone.code);
        EXPECT_EQ(within.line, "nsbench: run: " + alone.line.substr(9));
        return alone;
    };
    for (const char* const call : {"open", "write", "rename", "mkdir"}) {
        for (const int error : {EPERM, EACCES, EAGAIN, ENOSPC, EROFS}) {
            const Ending refused = ending(call, error);
            EXPECT_EQ(refused.code, kFailed);
            EXPECT_TRUE(refused.line.ends_with(errno_name(error) + ")\n")) << refused.line;
        }
        EXPECT_EQ(ending(call, EMFILE).code, kNotPermitted);
        const Ending too_large = ending(call, EFBIG);
        EXPECT_EQ(too_large.code, kFailed) << "as a full disk";
        EXPECT_NE(too_large.line.find("ulimit -f"), std::string::npos);
    }
}

/// The rows of repeats of one case whose rounds have these medians, a tenth apart.
std::vector<Row> rows_of_repeats(const std::vector<double>& medians) {
    std::vector<std::vector<Row>> repeats;
    for (const double median : medians) {
        Series series{Case::of(Operation::unshare, Kind::pid), {}, {}};
        Series base{Case::of(Operation::unshare, {}), {}, {}};
        for (std::uint32_t round = 1; round <= 6; ++round) {
            series.samples.push_back(alike({round, 0, true}, median + round / 10.0));
            base.samples.push_back(alike({round, 0, true}, 50 + round / 10.0));
        }
        repeats.push_back(make_rows(series, &base, {}));
    }
    return combine_repeats(repeats, 0.02);
}

std::string shown(const std::vector<Row>& rows, std::uint32_t count) {
    run::RunInfo info;
    info.identity = {"20260101T000000Z-0", "6.1.0", TickClock::wall};
    info.repeat = run::Repeat{0, count, std::chrono::seconds(0), true};
    info.options.seed = 7;
    info.rounds = 6 * count;
    info.seconds = 6.1;
    return report::table(info.identity, rows, {}) + closing_lines(info, rows);
}

TEST(Outcome, GoldenRepeats) {
    EXPECT_EQ(shown(rows_of_repeats({100, 110, 120}), 3),
              R"(case            create      95%     p99  adds to none   its 95% interval    exit   total
unshare/NEWPID  110 ns  ±22.7%~  111 ns      +60.0 ns  35.2 ns … 84.8 ns  110 ns  110 ns
3 repeats, 18 rounds in 6.1 s, seeds from 7
scatter between repeats rules 3 of 3 rows, within them 0; typically it is 105.5 times what rounds explain
3 repeats: an interval reaches 2.5 standard deviations to each side; 5 make it 1.2
)");
    const std::string alike = shown(rows_of_repeats({100, 100.1, 100.1, 100, 100.1}), 5);
    EXPECT_NE(alike.find("rules 0 of 3 rows, within them 3; typically it is 0.6 times"), std::string::npos)
        << alike;
    EXPECT_EQ(alike.find("an interval reaches"), std::string::npos) << alike;
    // Of the first alone nothing is known.
    EXPECT_EQ(shown(rows_of_repeats({100}), 1).find("scatter"), std::string::npos);
}

TEST(Outcome, NoCallIsInvented) {
    const auto of = [](int error) {
        return ending_of(std::filesystem::filesystem_error("cannot read", "/a/b",
                                                           std::error_code(error, std::generic_category())));
    };
    EXPECT_EQ(of(EACCES).line, "nsbench: /a/b: Permission denied (EACCES)\n");
    EXPECT_EQ(of(EACCES).code, kFailed);
    EXPECT_EQ(of(EMFILE).code, kNotPermitted);
    EXPECT_NE(of(EMFILE).line.find("ulimit -n"), std::string::npos);
}

}  // namespace
}  // namespace nsb::cli
