#include "sys/rtnetlink.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>

#include "sys/child.h"

namespace nsb::sys {
namespace {

constexpr unsigned kLoopback = 1;

/// Each on the socket of the others, in the net namespace of the caller; 0, or the number of the wrong one.
int ask_in_turn() {
    const auto socket = Rtnetlink::open();
    if (!socket) return 1;
    if (!socket->look(kLoopback)) return 2;
    if (socket->set_up(99) != tl::unexpected(ENODEV)) return 3;
    if (!socket->look(kLoopback)) return 4;
    if (!socket->set_up(kLoopback)) return 5;
    if (!socket->look(kLoopback)) return 6;
    if (socket->set_up(99) != tl::unexpected(ENODEV)) return 7;
    return 0;
}

TEST(Rtnetlink, AnAnswerIsThatOfItsRequest) {
    if (geteuid() != 0) GTEST_SKIP() << "making a net namespace needs root";
    const auto child = plain_fork();
    ASSERT_TRUE(child);
    constexpr int kRefused = 77;
    if (*child == 0) _exit(unshare(CLONE_NEWNET) == 0 ? ask_in_turn() : kRefused);
    const auto status = reap(*child);
    ASSERT_TRUE(status);
    if (WEXITSTATUS(*status) == kRefused) GTEST_SKIP() << "no net namespace can be made here";
    EXPECT_EQ(WEXITSTATUS(*status), 0);
}

}  // namespace
}  // namespace nsb::sys
