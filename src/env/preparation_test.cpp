#include "env/preparation.h"

#include <gtest/gtest.h>

#include "env/fake_tree.h"

namespace nsb::env {
namespace {

constexpr std::string_view kNormal = "/sys/kernel/rcu_normal";
constexpr std::string_view kExpedited = "/sys/kernel/rcu_expedited";

class Preparations : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(tree.made());
        tree.file(kNormal, "1\n").file(kExpedited, "1\n").file("/sys/devices/system/cpu/online", "0-3\n");
    }
    [[nodiscard]] std::string now(std::string_view path) const {
        return first_line(tree.root(), path).value_or("none");
    }
    [[nodiscard]] Preparation plan() const { return Preparation::plan({tree.root(), 3}, {"smt"}); }

    FakeTree tree;
};

TEST_F(Preparations, AreSetAndPutBack) {
    Preparation preparation = plan();
    EXPECT_EQ(now(kNormal), "1");
    preparation.apply();
    EXPECT_EQ(now(kNormal) + now(kExpedited), "00");
    const std::string text = preparation.text();
    EXPECT_NE(text.find("rcu_normal     1 → 0\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("smt"), std::string::npos) << text;
    EXPECT_FALSE(preparation.cgroup());
    EXPECT_EQ(preparation.put_back().text, "put back rcu_expedited  1\nput back rcu_normal     1\n");
    EXPECT_EQ(now(kNormal) + now(kExpedited), "11");
    EXPECT_EQ(preparation.put_back().text, "");
}

TEST_F(Preparations, ArePutBackByACopyThatDoesNotKnowHowFarItCame) {
    Preparation preparation = plan();
    const Preparation copy = preparation;
    EXPECT_EQ(copy.put_back().text, "");
    preparation.apply();
    EXPECT_NE(copy.put_back().text, "");
    EXPECT_EQ(now(kNormal) + now(kExpedited), "11");
}

TEST_F(Preparations, LeaveWhatSomebodyElseHasSet) {
    Preparation preparation = plan();
    preparation.apply();
    tree.file(kNormal, "2\n");
    const std::string text = preparation.put_back().text;
    EXPECT_NE(
        text.find("left     rcu_normal     /sys/kernel/rcu_normal: somebody made it 2 meanwhile; it was 1\n"),
        std::string::npos)
        << text;
    EXPECT_EQ(now(kNormal) + now(kExpedited), "21");
}

TEST_F(Preparations, SayWhatCouldNotBePutBack) {
    Preparation preparation = plan();
    preparation.apply();
    std::filesystem::remove(tree.root().prefix + std::string(kNormal));
    EXPECT_NE(
        preparation.put_back().text.find("NOT BACK rcu_normal     /sys/kernel/rcu_normal: ENOENT; it was 1"),
        std::string::npos);
}

TEST_F(Preparations, AreAsTheyWereWhereNotTheWholeCouldBeSet) {
    tree.file("/proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        .file("/sys/fs/cgroup/cgroup.controllers", "cpuset\n")
        .file("/sys/fs/cgroup/cgroup.subtree_control", "cpuset\n");
    Preparation preparation = plan();
    preparation.apply();
    // The made-up file system has no files in a new folder.
    const std::string text = preparation.text();
    EXPECT_NE(text.find("cpuset         write(/sys/fs/cgroup/nsbench-prepared/cpuset.cpus, 3): ENOENT"),
              std::string::npos)
        << text;
    EXPECT_FALSE(std::filesystem::exists(tree.root().prefix + "/sys/fs/cgroup/nsbench-prepared"));
    EXPECT_FALSE(preparation.cgroup());
}

TEST_F(Preparations, NameWhatReadsOtherwise) {
    // A regular file has no brackets around what was written.
    constexpr std::string_view kThp = "/sys/kernel/mm/transparent_hugepage/enabled";
    tree.file(kThp, "[always] madvise never\n");
    const auto done = apply(tree.root(), {std::string(kThp), Form::marked, "always", {"madvise"}});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().text(),
              "write(/sys/kernel/mm/transparent_hugepage/enabled, madvise); it reads nothing all the same");
    EXPECT_EQ(now(kThp), "always");
}

TEST_F(Preparations, MakeAFolderAndTakeItAway) {
    tree.directory("/folder");
    const Change change{"/folder/made", Form::folder, "", {"made"}};
    EXPECT_EQ(apply(tree.root(), change).value_or("none"), "made");
    EXPECT_EQ(put_back(tree.root(), change).how, Returned::put_back);
    EXPECT_EQ(put_back(tree.root(), change).how, Returned::unchanged);
}

}  // namespace
}  // namespace nsb::env
