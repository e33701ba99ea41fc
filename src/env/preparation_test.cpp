#include "env/preparation.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "env/cpu_list.h"
#include "env/fake_tree.h"
#include "env/thread.h"
#include "sys/child.h"

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

/// A process that waits for its end.
class Idler {
  public:
    Idler() {
        const auto child = sys::plain_fork();
        if (child && *child == 0) {
            for (;;) pause();
        }
        number_ = child.value_or(0);
    }
    Idler(const Idler&) = delete;
    Idler& operator=(const Idler&) = delete;
    ~Idler() {
        if (number_ == 0) return;
        kill(number_, SIGKILL);
        (void)sys::reap(number_);
    }
    [[nodiscard]] int number() const { return number_; }

  private:
    pid_t number_ = 0;
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

TEST_F(Preparations, PutNoCpusBackForWhoeverHasAThreadsNumberLater) {
    const Idler idler;
    ASSERT_NE(idler.number(), 0);
    put_thread(tree, {idler.number(), idler.number(), "first", "2"});
    tree.file("/sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "2-3\n")
        .file("/sys/devices/system/cpu/cpu2/online", "1\n");
    Preparation preparation = Preparation::plan({tree.root(), 3}, {"irq_affinity"});
    preparation.apply();
    put_thread(tree, {idler.number(), idler.number(), "second", "0-3", 0, 0, 8});
    const Preparation::Back back = preparation.put_back();
    EXPECT_TRUE(back.is_whole);
    EXPECT_EQ(back.text, "put back smt            1\nput back rcu_expedited  1\nput back rcu_normal     1\n");
    std::filesystem::remove_all(fmt::format("{}/proc/{}", tree.root().prefix, idler.number()));
    EXPECT_TRUE(preparation.put_back().is_whole);
}

TEST_F(Preparations, PutCpusBackForTheThreadThatHadThem) {
    const Idler idler;
    ASSERT_NE(idler.number(), 0);
    const Root machine{{}, std::nullopt};
    const std::string folder = fmt::format("/proc/{0}/task/{0}", idler.number());
    const auto started = detail::start_of(machine, folder);
    const std::string all = detail::affinity_of(machine, folder).value_or("");
    const CpuSet cpus = parse_cpus(all).value_or(CpuSet{});
    if (!started || cpus.size() < 2) GTEST_SKIP() << "it may run on one CPU alone, or /proc does not say";
    Change change{folder, Form::affinity, to_text({*cpus.begin()}), {all}};
    change.started = *started + 1;
    EXPECT_EQ(state_of(machine, change), tl::unexpected(ESRCH));
    EXPECT_EQ(write_state(machine, change, change.before), tl::unexpected(ESRCH));
    EXPECT_EQ(put_back(machine, change).how, Returned::unchanged);
    EXPECT_EQ(detail::affinity_of(machine, folder), all);
    change.started = *started;
    EXPECT_EQ(put_back(machine, change).how, Returned::put_back);
    EXPECT_EQ(detail::affinity_of(machine, folder), change.before);
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
