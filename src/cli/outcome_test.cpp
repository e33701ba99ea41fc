// How errors and rows end nsbench: by one judgement.
#include "cli/outcome.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <new>

#include "cli/commands.h"
#include "core/failure.h"
#include "isolate/container.h"
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
    EXPECT_EQ(ending_of(std::bad_alloc()).code, kNotPermitted);
    for (const int error : {EIO, ECHILD, ETIMEDOUT}) {
        EXPECT_EQ(exit_code({}, {failed_row(error)}), kFailed);
        EXPECT_EQ(ending_of(isolate::NotTaken("clone", error)).code, kFailed);
    }
    EXPECT_EQ(exit_code({}, {failed_row(ENOMEM), failed_row(EIO)}), kFailed);
}

TEST(Outcome, AFileRefusesForReasonsOfItsOwn) {
    const auto ending = [](const char* call, int error) {
        // As a run's folder says it, too.
        const sys::SystemError plain(call, "a.csv", error);
        const Ending within = ending_of(sys::SystemError("run", plain));
        const Ending alone = ending_of(plain);
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
