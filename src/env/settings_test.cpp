#include "env/settings.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "env/fake_tree.h"
#include "sys/new_pid_namespace.h"

namespace nsb::env {
namespace {

using namespace std::string_literals;

constexpr std::string_view kCpus = "/sys/devices/system/cpu";
constexpr std::string_view kMounts = "30 1 0:26 / /sys/fs/cgroup rw - ";

class Settings : public testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(tree.made()); }

    Planned plan(std::string_view id) {
        const auto all = settings();
        const auto at = std::ranges::find(all, id, &Setting::id);
        if (at == all.end()) return tl::unexpected(sys::Refusal{"no setting", std::string(id)});
        return at->plan({tree.root(), 3});
    }
    /// "PATH: BEFORE → WANTED" of each.
    std::vector<std::string> changes(std::string_view id) {
        const Planned planned = plan(id);
        std::vector<std::string> all;
        if (!planned) return {planned.error().text()};
        for (const Change& change : *planned) {
            std::string wanted;
            for (const std::string& one : change.wanted) wanted += (wanted.empty() ? "" : "|") + one;
            all.push_back(change.path + ": " + change.before + " → " + wanted);
        }
        return all;
    }
    using Lines = std::vector<std::string>;

    FakeTree tree;
};

TEST_F(Settings, HaveNamesAndReasons) {
    std::set<std::string_view> ids;
    for (const Setting& setting : settings()) {
        EXPECT_TRUE(ids.insert(setting.id).second) << setting.id;
        EXPECT_FALSE(setting.why.empty()) << setting.id;
    }
}

TEST_F(Settings, AreNamedWhereNothingCanBeRead) {
    for (const Setting& setting : settings()) {
        const Planned planned = setting.plan({tree.root(), 3});
        if (setting.id == "smt") {  // no sibling is seen
            EXPECT_TRUE(planned && planned->empty());
            continue;
        }
        ASSERT_FALSE(planned) << setting.id;
        EXPECT_FALSE(planned.error().text().empty()) << setting.id;
    }
}

TEST_F(Settings, OfTheKernelAreChangedOnlyWhereTheyAreNotAsTheyShouldBe) {
    tree.file("/sys/kernel/rcu_normal", "0\n").file("/sys/kernel/rcu_expedited", "1\n");
    EXPECT_EQ(changes("rcu_normal"), Lines{});
    EXPECT_EQ(changes("rcu_expedited"), Lines{"/sys/kernel/rcu_expedited: 1 → 0"});
    const std::string thp = "/sys/kernel/mm/transparent_hugepage/enabled";
    tree.file(thp, "always madvise [never]\n");
    EXPECT_EQ(changes("thp"), Lines{});
    tree.file(thp, "[always] madvise never\n");
    EXPECT_EQ(changes("thp"), Lines{thp + ": always → madvise"});
}

TEST_F(Settings, OfTheFrequency) {
    const std::string policies = fmt::format("{}/cpufreq/policy", kCpus);
    tree.file(policies + "0/scaling_governor", "performance\n")
        .file(policies + "4/scaling_governor", "schedutil\n");
    EXPECT_EQ(changes("governor"), Lines{policies + "4/scaling_governor: schedutil → performance"});
    tree.file("/sys/devices/system/cpu/cpufreq/boost", "1\n");
    EXPECT_EQ(changes("turbo"), Lines{"/sys/devices/system/cpu/cpufreq/boost: 1 → 0"});
    tree.file("/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
    EXPECT_EQ(changes("turbo"), Lines{"/sys/devices/system/cpu/intel_pstate/no_turbo: 0 → 1"});
}

TEST_F(Settings, MoveInterruptsAwayFromTheCore) {
    tree.file("/sys/devices/system/cpu/online", "0-3\n")
        .file("/sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "2-3\n")
        .file("/proc/irq/1/smp_affinity_list", "0-3\n")
        .file("/proc/irq/2/smp_affinity_list", "2\n")
        .file("/proc/irq/5/smp_affinity_list", "0\n")
        .file("/proc/irq/default_smp_affinity", "f\n");
    EXPECT_EQ(changes("irq_affinity"),
              (Lines{"/proc/irq/1/smp_affinity_list: 0-3 → 0-1", "/proc/irq/2/smp_affinity_list: 2 → 0-1"}));
    tree.file("/sys/devices/system/cpu/online", "2-3\n");
    EXPECT_EQ(changes("irq_affinity"), Lines{"no other CPU; there is none to move interrupts to"});
}

TEST_F(Settings, KeepTheWorkerOfRcuOnTheMeasuringCpu) {
    tree.file("/sys/devices/system/cpu/online", "0-3\n");
    kernel_thread(tree, 17, "rcu_exp_gp_kthread_worker", "0-3", 1);
    EXPECT_EQ(changes("rcu_worker"), (Lines{"/proc/17/task/17: 0-3 → 0-2|0-3", "/proc/17/task/17: 0-3 → 3"}));
    const Planned planned = plan("rcu_worker");
    ASSERT_TRUE(planned);
    EXPECT_TRUE(planned->front().is_consequence && !planned->back().is_consequence);
    EXPECT_EQ(planned->front().started + planned->back().started, 14U);
    tree.file("/sys/devices/system/cpu/possible", "0-7\n");
    kernel_thread(tree, 17, "rcu_exp_gp_kthread_worker", "2", 2);
    EXPECT_EQ(changes("rcu_worker"),
              (Lines{"/proc/17/task/17: 2 → 0-2|0-2,4-7|0-3|0-7", "/proc/17/task/17: 2 → 3"}));
    kernel_thread(tree, 17, "rcu_exp_gp_kthread_worker", "3", 3);
    EXPECT_EQ(changes("rcu_worker"), Lines{});
}

TEST_F(Settings, TakeTheSiblingOffAndKeepWhatLosesIt) {
    const std::string online = fmt::format("{}/cpu2/online", kCpus);
    tree.file("/sys/devices/system/cpu/online", "0-3\n")
        .file("/sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "2-3\n")
        .file(online, "1\n")
        .file("/proc/90/task/90/status", "Name:\tended\nCpus_allowed_list:\t2\n")
        .file("/proc/self/mountinfo", fmt::format("{}cgroup cpuset rw,cpuset\n", kMounts))
        .file("/sys/fs/cgroup/cpuset.sched_load_balance", "1\n")
        .file("/sys/fs/cgroup/docker/cpuset.cpus", "1-3\n")
        .file("/sys/fs/cgroup/docker/x/cpuset.cpus", "2-3\n")
        .file("/proc/irq/9/smp_affinity_list", "2\n")
        .file("/proc/irq/10/smp_affinity_list", "1-2\n");
    put_thread(tree, {70, 70, "x", "0-3"});
    put_thread(tree, {70, 71, "x) S 1 (y", "2", 2, 0, 4321});
    kernel_thread(tree, 80, "k worker", "2", 2, 69238880);
    EXPECT_EQ(changes("smt"),
              (Lines{"/sys/fs/cgroup/docker/x/cpuset.cpus: 2-3 → 3",
                     "/sys/fs/cgroup/docker/cpuset.cpus: 1-3 → 1,3", "/proc/70/task/71: 2 → 0-1,3|0-3",
                     "/proc/irq/9/smp_affinity_list: 2 → 0-1,3|0-3", online + ": 1 → 0"}));
    const Planned planned = plan("smt");
    ASSERT_TRUE(planned);
    for (const Change& change : *planned)
        EXPECT_EQ(change.is_consequence, change.path != online) << change.path;
    EXPECT_EQ(planned->at(2).started, 4321U);
}

TEST_F(Settings, MakeAPartitionWhereVersion2HasCpusets) {
    tree.file("/sys/devices/system/cpu/online", "0-3\n")
        .file("/proc/self/mountinfo", fmt::format("{}cgroup2 cgroup2 rw\n", kMounts))
        .file("/proc/self/cgroup", "0::/user.slice/a\n")
        .file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu\n")
        .file("/sys/fs/cgroup/cgroup.subtree_control", "cpu\n");
    put_thread(tree, {70, 71, "x", "2"});
    EXPECT_EQ(changes("cpuset"),
              (Lines{"/proc/70/task/71: 2 → 0-2|0-3|2", "/sys/fs/cgroup/cgroup.subtree_control:  → cpuset",
                     "/sys/fs/cgroup/nsbench-prepared:  → made",
                     "/sys/fs/cgroup/nsbench-prepared/cpuset.cpus:  → 3",
                     "/sys/fs/cgroup/nsbench-prepared/cpuset.cpus.partition: member → isolated"}));
    const Planned planned = plan("cpuset");
    ASSERT_TRUE(planned);
    EXPECT_EQ(planned->at(2).home, "/sys/fs/cgroup/user.slice/a/cgroup.procs");
    tree.file("/sys/fs/cgroup/cgroup.subtree_control", "cpuset cpu\n");
    EXPECT_EQ(changes("cpuset").size(), 4U);
    tree.directory("/sys/fs/cgroup/nsbench-prepared");
    EXPECT_EQ(changes("cpuset").front().substr(0, 46), "mkdir(/sys/fs/cgroup/nsbench-prepared): EEXIST");
}

TEST_F(Settings, OfThreadsAreRefusedWhereProcIsAnotherPidNamespaces) {
    if (geteuid() != 0) GTEST_SKIP() << "making a pid namespace needs root";
    tree.file("/sys/devices/system/cpu/online", "0-3\n")
        .file("/sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "2-3\n")
        .file("/sys/devices/system/cpu/cpu2/online", "1\n")
        .file("/sys/fs/cgroup/cgroup.controllers", "cpuset\n")
        .file("/sys/fs/cgroup/cpuset.sched_load_balance", "1\n");
    put_thread(tree, {70, 71, "x", "2"});
    kernel_thread(tree, 17, "rcu_exp_gp_kthread_worker", "0-3", 1);
    const Lines refused{"/proc; it is another pid namespace's"};
    for (const std::string version : {"cgroup", "cgroup2"}) {
        tree.file("/proc/self/mountinfo", fmt::format("{}{} x rw\n", kMounts, version));
        for (const std::string_view id : {"rcu_worker", "cpuset", "smt"}) {
            EXPECT_GT(changes(id).size(), 1U) << id;
            EXPECT_EQ(sys::in_new_pid_namespace([&] { return changes(id) == refused ? 0 : 1; }), 0)
                << id << ' ' << version;
        }
    }
}

TEST_F(Settings, MoveOthersAwayWhereVersion1HasCpusets) {
    tree.file("/sys/devices/system/cpu/online", "0-3\n")
        .file("/proc/self/mountinfo", fmt::format("{}cgroup cpuset rw,cpuset\n", kMounts))
        .file("/sys/fs/cgroup/cpuset.sched_load_balance", "1\n")
        .file("/sys/fs/cgroup/cpuset.mems", "0\n");
    EXPECT_EQ(changes("cpuset"), (Lines{"/sys/fs/cgroup/nsbench-prepared:  → made",
                                        "/sys/fs/cgroup/nsbench-prepared/cpuset.cpus:  → 0-2",
                                        "/sys/fs/cgroup/nsbench-prepared/cpuset.mems:  → 0",
                                        "/sys/fs/cgroup/nsbench-prepared/tasks:  → moved"}));
}

}  // namespace
}  // namespace nsb::env
