#include "sys/process.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <chrono>
#include <csignal>

namespace nsb::sys {
namespace {

using std::chrono::seconds;

/// No further descriptor can be had while this is there.
class NoDescriptors {
  public:
    NoDescriptors() {
        getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit none{1, before_.rlim_max};  // which is standard input
        setrlimit(RLIMIT_NOFILE, &none);
    }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;
    ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

  private:
    rlimit before_{};
};

TEST(Process, EndsAreSeenWithoutAFreeDescriptor) {
    Process process("/bin/sh", {}, {"-c", "exit 7"});
    const NoDescriptors few;
    EXPECT_EQ(process.exit_code_within(seconds(10)), 7);
    EXPECT_TRUE(process.ends_within(seconds(0)));
    EXPECT_TRUE(process.ends_within(seconds(0)));
}

TEST(Process, GoesOnUntilItEnds) {
    Process process("/bin/sh", {}, {"-c", "exec sleep 60"});
    EXPECT_FALSE(process.ends_within(seconds(0)));
    EXPECT_FALSE(process.exit_code_within(std::chrono::milliseconds(20)));
    kill(process.pid(), SIGTERM);
    EXPECT_FALSE(process.exit_code_within(seconds(10)));  // a signal ended it
    EXPECT_TRUE(process.ends_within(seconds(0)));
}

TEST(OutputOf, IsWhole) {
    EXPECT_EQ(output_of("/bin/sh", {"-c", "printf '%0200000d' 0"}), std::string(200'000, '0'));
    EXPECT_EQ(output_of("/bin/sh", {"-c", "exit 1"}), "");
    EXPECT_EQ(output_of("/nowhere", {}).error(), ENOENT);
}

}  // namespace
}  // namespace nsb::sys
