// Processes in a /proc that numbers them as an outer pid namespace does. Needs root.
#include "sys/proc.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "sys/child.h"
#include "sys/new_pid_namespace.h"

namespace nsb::sys {
namespace {

TEST(Proc, HasTheNumbersOfItsOwnPidNamespace) {
    EXPECT_EQ(proc_is_ours(), true);
    EXPECT_EQ(number_in_proc(getpid()), getpid());
    const auto child = plain_fork();
    ASSERT_TRUE(child);
    if (*child == 0) {
        for (;;) pause();
    }
    EXPECT_EQ(number_in_proc(*child), *child);
    kill(*child, SIGKILL);
    EXPECT_TRUE(reap(*child));
    EXPECT_EQ(number_in_proc(*child), tl::unexpected(ESRCH));
}

TEST(Proc, OfAnOuterPidNamespaceIsToldByTheChildsOwnNumbers) {
    if (geteuid() != 0) GTEST_SKIP() << "making a pid namespace needs root";
    EXPECT_EQ(in_new_pid_namespace([] { return getpid() == 1 && proc_is_ours() == false ? 0 : 1; }), 0);
    EXPECT_EQ(in_new_pid_namespace([] {
                  const auto number = number_in_proc(getpid());
                  return number && *number != 1 &&
                                 std::to_string(*number) == std::filesystem::read_symlink("/proc/self")
                             ? 0
                             : 1;
              }),
              0);
}

TEST(Proc, IsTheSameToAProcessInManyGroups) {
    if (geteuid() != 0) GTEST_SKIP() << "joining groups needs root";
    // Their line stands before NSpid, and is longer than what is read at once.
    EXPECT_EQ(in_new_pid_namespace([] {
                  std::vector<gid_t> groups(5000);
                  std::iota(groups.begin(), groups.end(), 3000000000U);
                  return setgroups(groups.size(), groups.data()) == 0 && proc_is_ours() == false ? 0 : 1;
              }),
              0);
}

TEST(Proc, AChildsNamespaceIsItsOwnThereToo) {
    if (geteuid() != 0) GTEST_SKIP() << "making a namespace needs root";
    EXPECT_EQ(in_new_pid_namespace([] {
                  const auto stack = Stack::map(1U << 16U, false);
                  CloneOptions options;
                  options.flags = CLONE_NEWNET;
                  const auto child = clone_child(
                      options, *stack, [](void*) { return pause(); }, nullptr);
                  if (!child) return 1;
                  const auto net = open_in_proc(*child, "ns/net", O_RDONLY);
                  struct stat of_child {};
                  struct stat own {};
                  const bool is_known =
                      net && fstat(net->get(), &of_child) == 0 && stat("/proc/self/ns/net", &own) == 0;
                  kill(*child, SIGKILL);
                  (void)reap(*child);
                  return is_known && of_child.st_ino != own.st_ino ? 0 : 2;
              }),
              0);
}

}  // namespace
}  // namespace nsb::sys
