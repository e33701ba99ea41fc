#include "env/cpu_load.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "env/fake_tree.h"

namespace nsb::env {
namespace {

/// A kernel thread's files: its name, what it ran in ns, and its CPU.
void thread(FakeTree& tree, int number, std::string_view name, std::int64_t ran_ns, int cpu) {
    std::string stat = fmt::format("{} ({}) S 2", number, name);
    for (int field = 5; field < 39; ++field) stat += " 7";  // proc_pid_stat(5)
    tree.file(fmt::format("/proc/{}/stat", number), fmt::format("{} {} 0 0\n", stat, cpu));
    tree.file(fmt::format("/proc/{}/schedstat", number), fmt::format("{} 123 9\n", ran_ns));
}

void stat(FakeTree& tree, int idle, int iowait, int irq, int softirq, int steal) {
    tree.file("/proc/stat", fmt::format("cpu  1 1 1 1 1 1 1 1 0 0\n"
                                        "cpu0 9 9 9 9 9 9 9 9 0 0\n"
                                        "cpu1 100 0 50 {} {} {} {} {} 0 0\n"
                                        "intr 7\n",
                                        idle, iowait, irq, softirq, steal));
}

void schedstat(FakeTree& tree, std::int64_t ran_ns) {
    tree.file("/proc/schedstat", fmt::format("version 15\ntimestamp 4294\n"
                                             "cpu0 0 0 1 2 3 4 999 8 9\ndomain0 3 0 0\n"
                                             "cpu1 0 0 1 2 3 4 {} 8 9\n"
                                             "cpu10 0 0 1 2 3 4 5 8 9\n",
                                             ran_ns));
}

void threads(FakeTree& tree, std::string_view numbers) {
    tree.file("/proc/2/comm", "kthreadd\n").file("/proc/2/task/2/children", numbers);
}

TEST(CpuLoad, KnowsNothingInAnEmptyTree) {
    FakeTree tree;
    ASSERT_TRUE(tree.made());
    CpuLoad load(tree.root(), {1});
    EXPECT_EQ(load.source_of_ran(), "");
    EXPECT_FALSE(load.shows_kernel_threads());
    const CpuReading reading = load.read();
    const CpuUse use = use_between(reading, reading, 1);
    EXPECT_FALSE(use.ran || use.steal || use.interrupts || use.kernel_threads);
    EXPECT_FALSE(reading.cpus.at(1).frequency || reading.cpus.at(1).throttles);
    EXPECT_FALSE(waited(tree.root(), 17));
}

TEST(CpuLoad, TakesRunTimeFromSchedstat) {
    FakeTree tree;
    stat(tree, 5, 5, 1, 2, 3);
    schedstat(tree, 1'000'000'000);
    CpuLoad load(tree.root(), {1});
    EXPECT_EQ(load.source_of_ran(), "/proc/schedstat");
    const CpuReading begin = load.read();
    stat(tree, 5, 5, 2, 4, 6);
    schedstat(tree, 1'500'000'000);
    const CpuUse use = use_between(begin, load.read(), 1);
    EXPECT_EQ(use.steal, 30'000);
    EXPECT_EQ(use.interrupts, 30'000);
    EXPECT_EQ(use.ran, 440'000);  // without what interrupts and the hypervisor took of the tasks' time
}

TEST(CpuLoad, TakesRunTimeFromIdleTimeWhereThereIsNoSchedstat) {
    FakeTree tree;
    stat(tree, 500, 50, 1, 2, 3);
    CpuLoad load(tree.root(), {1});
    EXPECT_EQ(load.source_of_ran(), "/proc/stat");
    CpuReading begin = load.read();
    stat(tree, 520, 60, 2, 4, 6);
    CpuReading end = load.read();
    const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(end.at - begin.at).count();
    // 300 ms idle, 60 ms stolen or interrupts: made longer, since so little time has passed in the test.
    end.cpus.at(1).ran = *end.cpus.at(1).ran + 500'000;
    const CpuUse use = use_between(begin, end, 1);
    EXPECT_NEAR(static_cast<double>(*use.ran), static_cast<double>(passed + 500'000 - 360'000), 2);
    // Idle time may go backwards.
    // NOLINTNEXTLINE(readability-suspicious-call-argument): backwards is meant
    const CpuUse backwards = use_between(end, begin, 1);
    EXPECT_EQ(backwards.ran, 0);
    EXPECT_EQ(backwards.steal, 0);
}

TEST(CpuLoad, CountsKernelThreadsThatMayHaveRunThere) {
    FakeTree tree;
    stat(tree, 5, 5, 1, 2, 3);
    threads(tree, "10 11 12 13 14 ");
    thread(tree, 10, "ksoftirqd/0", 0, 0);
    thread(tree, 11, "kworker/1:0-events", 1'000'000, 1);
    thread(tree, 12, "kworker/u4:1-netns", 2'000'000, 0);
    thread(tree, 13, "kworker/u4:2", 3'000'000, 0);
    thread(tree, 14, "rcu (pre) empt", 4'000'000, 1);
    CpuLoad load(tree.root(), {1});
    ASSERT_TRUE(load.shows_kernel_threads());
    const CpuReading begin = load.read();
    EXPECT_EQ(begin.kernel_threads.size(), 4U);  // not that of CPU 0 alone
    threads(tree, "10 11 12 13 14 15 ");
    thread(tree, 10, "ksoftirqd/0", 900'000'000, 0);
    thread(tree, 11, "kworker/1:0-events", 1'500'000, 1);  // 500 us
    thread(tree, 12, "kworker/u4:1-netns", 2'060'000, 1);  // 60: came from CPU 0
    thread(tree, 13, "kworker/u4:2", 900'000'000, 0);      // stayed elsewhere
    thread(tree, 14, "rcu (pre) empt", 4'007'000, 0);      // 7: went away
    thread(tree, 15, "kworker/u4:3", 8'000, 1);            // 8: new
    EXPECT_EQ(use_between(begin, load.read(), 1).kernel_threads, 575);
}

TEST(CpuLoad, TakesNoOtherProcessForKthreadd) {
    FakeTree tree;
    threads(tree, "10 ");
    tree.file("/proc/2/comm", "bash\n");
    EXPECT_FALSE(CpuLoad(tree.root(), {1}).shows_kernel_threads());
}

TEST(CpuLoad, ReadsFrequencyAndThrottling) {
    FakeTree tree;
    tree.file("/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "2600000\n")
        .file("/sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "3\n")
        .file("/sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count", "4\n");
    const CpuReading reading = CpuLoad(tree.root(), {1}).read();
    EXPECT_EQ(reading.cpus.at(1).frequency, 2'600'000);
    EXPECT_EQ(reading.cpus.at(1).throttles, 7);
}

TEST(CpuLoad, ReadsNoFigureFromWhatIsNone) {
    FakeTree tree;
    tree.file("/proc/stat", "cpu1 1 2 x 4 5 6 7 8\n").file("/proc/schedstat", "cpu1 1 2 3\n");
    tree.file("/proc/17/schedstat", "12\n").file("/proc/18/schedstat", "1 -2 3\n");
    EXPECT_EQ(CpuLoad(tree.root(), {1}).source_of_ran(), "");
    EXPECT_FALSE(waited(tree.root(), 17));
    EXPECT_FALSE(waited(tree.root(), 18));
    tree.file("/proc/19/schedstat", "1000 2000 3\n");
    EXPECT_EQ(waited(tree.root(), 19), 2);
}

}  // namespace
}  // namespace nsb::env
