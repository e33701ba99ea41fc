// Every condition is really there: what each sets up, counted by /proc. Needs root.
#include "conditions.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/case.h"

namespace nsb::bench {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> lines_of(const std::string& file) {
    std::ifstream in(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

std::size_t count_lines(const std::string& file, const std::string& text) {
    const std::vector<std::string> lines = lines_of(file);
    return static_cast<std::size_t>(std::ranges::count_if(
        lines, [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}

/// The words behind `key` in /proc/PID/status.
std::vector<std::string> status_of(const std::string& process, const std::string& key) {
    for (const std::string& line : lines_of("/proc/" + process + "/status")) {
        if (!line.starts_with(key + ":")) continue;
        std::istringstream words(line.substr(key.size() + 1));
        return {std::istream_iterator<std::string>(words), {}};
    }
    return {};
}

std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> children;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto words = status_of(name, "PPid");
        if (!words.empty() && words.front() == std::to_string(parent)) children.push_back(std::stoi(name));
    }
    return children;
}

ino_t inode_of(const std::string& path) {
    struct stat s {};
    EXPECT_EQ(stat(path.c_str(), &s), 0) << path << ": " << errno;
    return s.st_ino;
}

/// The inodes of the net namespaces that a process's sockets are in.
std::multiset<ino_t> net_namespaces_of(pid_t pid) {
    std::multiset<ino_t> inodes;
    const auto process = sys::Fd::own(syscall(SYS_pidfd_open, pid, 0));
    if (!process) return inodes;
    for (const fs::directory_entry& entry : fs::directory_iterator(fmt::format("/proc/{}/fd", pid))) {
        const int number = std::stoi(entry.path().filename());
        const auto file = sys::Fd::own(syscall(SYS_pidfd_getfd, process->get(), number, 0));
        if (!file) continue;
        const auto space = sys::Fd::own(ioctl(file->get(), SIOCGSKNS));
        struct stat s {};
        if (space && fstat(space->get(), &s) == 0) inodes.insert(s.st_ino);
    }
    return inodes;
}

class Conditions : public testing::Test {
  protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "conditions without a user namespace need root";
    }

    const Condition& want(Parameter parameter, std::uint64_t value) {
        request.values[static_cast<std::size_t>(parameter)] = value;
        for (const Condition& condition : kConditionFunctions) {
            if (condition.info.parameter != parameter) continue;
            EXPECT_TRUE(prepare(here, condition));
            return condition;
        }
        ADD_FAILURE() << "no condition";
        return kConditionFunctions[0];
    }

    tl::expected<Keeper, Failure> keep(Parameter parameter, std::uint64_t value) {
        const Condition& condition = want(parameter, value);
        return Keeper::start(here, condition.set_up, parameter == Parameter::cgroups);
    }

    /// In a child, since what it makes goes with a process: 0 where all holds.
    static void in_child(const std::function<bool()>& holds) {
        const auto pid = sys::plain_fork();
        ASSERT_TRUE(pid);
        if (*pid == 0) _exit(holds() ? 0 : 1);
        const auto status = sys::reap(*pid);
        ASSERT_TRUE(status);
        EXPECT_TRUE(WIFEXITED(*status) && WEXITSTATUS(*status) == 0);
    }

    /// Whether something of this program is where rss has its memory: ASan has its shadow there.
    static bool place_of_rss_is_taken() {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): a place that is asked for
        void* const page = mmap(reinterpret_cast<void*>(kRssAt), 1, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (page != MAP_FAILED) munmap(page, 1);
        return page == MAP_FAILED && errno == EEXIST;
    }
    static constexpr const char* kTaken = "ASan has its shadow memory where rss maps";

    protocol::Request request{};
    std::unique_ptr<SharedMemory> memory = std::make_unique<SharedMemory>();
    Setting here{request, *memory, getpid()};
};

TEST_F(Conditions, AreEachOfTheTable) {
    for (std::size_t i = 0; i < kConditions.size(); ++i) {
        EXPECT_EQ(kConditionFunctions[i].info.parameter, kConditions[i].parameter);
        EXPECT_NE(kConditionFunctions[i].set_up, nullptr);
        // What failed says of which condition.
        EXPECT_TRUE(std::string_view(protocol::name(kConditionFunctions[i].call))
                        .starts_with(fmt::format("{}: ", info(kConditions[i].parameter).key)));
    }
}

TEST_F(Conditions, MountsAreSoManyMore) {
    const std::size_t before = lines_of("/proc/self/mountinfo").size();
    in_child([&] {
        const Condition& mounts = want(Parameter::mounts, 20);
        return mounts.set_up(here).error == 0 && lines_of("/proc/self/mountinfo").size() == before + 20;
    });
    EXPECT_EQ(lines_of("/proc/self/mountinfo").size(), before);
}

TEST_F(Conditions, PeersAreOfOneGroupAndHaveSlaves) {
    in_child([&] {
        const Condition& peers = want(Parameter::peers, 20);
        if (peers.set_up(here).error != 0 || !here.slaves) return false;
        std::set<std::string> groups;
        std::size_t members = 0;
        for (const std::string& line : lines_of("/proc/self/mountinfo")) {
            const std::size_t at = line.find(" shared:");
            if (at == std::string::npos) continue;
            ++members;
            groups.insert(line.substr(at + 8, line.find(' ', at + 1) - at - 8));
        }
        if (members != 20 || groups.size() != 1) return false;
        return count_lines(fmt::format("/proc/{}/mountinfo", here.slaves->pid()),
                           " master:" + *groups.begin()) == 20;
    });
}

TEST_F(Conditions, NetNamespacesAreSoManyAndOneProcess) {
    auto keeper = keep(Parameter::netns, 10);
    ASSERT_TRUE(keeper) << protocol::name(keeper.error().call) << ' ' << keeper.error().error;
    const std::multiset<ino_t> spaces = net_namespaces_of(keeper->pid());
    const std::set<ino_t> distinct(spaces.begin(), spaces.end());
    // The socket by which it is let go is of this one.
    EXPECT_EQ(distinct.size(), 11U);
    EXPECT_TRUE(distinct.contains(inode_of("/proc/self/ns/net")));
    EXPECT_TRUE(children_of(keeper->pid()).empty());
    EXPECT_TRUE(keeper->let_go());
}

TEST_F(Conditions, DyingOnesAreLetGoByAnotherProcess) {
    auto keeper = keep(Parameter::dying, 10);
    ASSERT_TRUE(keeper);
    EXPECT_EQ(net_namespaces_of(keeper->pid()).size(), 11U);
    in_child([&] {
        let_go_by(keeper->end());
        return true;
    });
    EXPECT_TRUE(keeper->let_go());
}

TEST_F(Conditions, PidNamespacesHaveASleeperEach) {
    auto keeper = keep(Parameter::pidns, 10);
    ASSERT_TRUE(keeper) << keeper.error().error;
    std::set<ino_t> spaces;
    for (const pid_t child : children_of(keeper->pid())) {
        EXPECT_EQ(status_of(std::to_string(child), "NSpid").size(), status_of("self", "NSpid").size() + 1);
        spaces.insert(inode_of(fmt::format("/proc/{}/ns/pid", child)));
    }
    EXPECT_EQ(spaces.size(), 10U);
    EXPECT_TRUE(keeper->let_go());
}

TEST_F(Conditions, ProcessesSleep) {
    auto keeper = keep(Parameter::procs, 50);
    ASSERT_TRUE(keeper) << keeper.error().error;
    const pid_t parent = keeper->pid();
    const std::vector<pid_t> sleepers = children_of(parent);
    EXPECT_EQ(sleepers.size(), 50U);
    EXPECT_TRUE(keeper->let_go());
    for (const pid_t sleeper : sleepers) EXPECT_FALSE(fs::exists(fmt::format("/proc/{}", sleeper)));
}

TEST_F(Conditions, MemoryIsTouched) {
    if (place_of_rss_is_taken()) GTEST_SKIP() << kTaken;
    in_child([&] {
        const auto kib = [] { return std::stoull(status_of("self", "VmRSS").front()); };
        const std::uint64_t before = kib();
        const Condition& rss = want(Parameter::rss, 32U << 20U);
        return rss.set_up(here).error == 0 && kib() >= before + (31U << 10U);
    });
}

TEST_F(Conditions, DescriptorsAreOpen) {
    in_child([&] {
        const auto open_files = [] {
            return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
        };
        const auto before = open_files();
        // More than the usual limit.
        const Condition& fds = want(Parameter::fds, 5000);
        return fds.set_up(here).error == 0 && open_files() == before + 5000;
    });
}

TEST_F(Conditions, DepthIsThatOfPidAndUserNamespaces) {
    auto tie = sys::Pipe::make();
    ASSERT_TRUE(tie);
    here.tie = tie->read_end.get();
    const std::size_t before = status_of("self", "NSpid").size();
    const ino_t user = inode_of("/proc/self/ns/user");
    in_child([&] {
        const Condition& depth = want(Parameter::depth, 3);
        return depth.set_up(here).error == 0 && status_of("self", "NSpid").size() == before + 3 &&
               inode_of("/proc/self/ns/user") != user && geteuid() == 0;
    });
}

TEST_F(Conditions, CgroupsAreRemovedAlsoWhereTheKeeperIsKilled) {
    fs::path root = "/sys/fs/cgroup";
    if (!fs::exists(root / "cgroup.controllers")) root /= "unified";
    if (!fs::exists(root / "cgroup.controllers")) GTEST_SKIP() << "no cgroup v2 in /sys/fs/cgroup to look at";
    const fs::path folder = root / fmt::format("nsbench-conditions-{}-{:x}", getpid(), here.moment);
    const auto count = [&] {
        std::size_t folders = 0;
        for (const fs::directory_entry& entry : fs::directory_iterator(folder))
            folders += entry.is_directory() ? 1 : 0;
        return folders;
    };
    auto keeper = keep(Parameter::cgroups, 10);
    ASSERT_TRUE(keeper) << protocol::name(keeper.error().call) << ' ' << keeper.error().error;
    EXPECT_EQ(count(), 10U);
    EXPECT_TRUE(keeper->let_go());
    EXPECT_FALSE(fs::exists(folder));

    auto killed = keep(Parameter::cgroups, 10);
    ASSERT_TRUE(killed);
    kill(killed->pid(), SIGKILL);
    EXPECT_FALSE(killed->let_go());
    EXPECT_TRUE(fs::exists(folder));
    remove_cgroups(here);
    EXPECT_FALSE(fs::exists(folder));

    // What another one has made is not removed.
    fs::create_directories(folder / "0");
    const auto second = keep(Parameter::cgroups, 10);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().error, EEXIST);
    EXPECT_TRUE(fs::exists(folder / "0"));
    remove_cgroups(here);
    EXPECT_FALSE(fs::exists(folder));
}

TEST_F(Conditions, WaitForNamespacesThatStillCountAgainstALimit) {
    int calls = 0;
    const auto fails = [&](int times, int error) {
        return [&calls, times, error] {
            errno = error;
            return ++calls > times ? 7 : -1;
        };
    };
    EXPECT_EQ(make_namespace(fails(5, ENOSPC)), 7);
    EXPECT_EQ(std::exchange(calls, 0), 6);
    EXPECT_EQ(make_namespace(fails(5, EPERM)), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(calls, 1);
}

TEST_F(Conditions, OfFilesFailWithTheirCallAndErrno) {
    const rlimit few{80, 80};
    in_child([&] {
        // Beyond the hard limit without CAP_SYS_RESOURCE, which no process of a user namespace has outside.
        if (setrlimit(RLIMIT_NOFILE, &few) != 0 || unshare(CLONE_NEWUSER) != 0) return false;
        const Failure failure = want(Parameter::fds, 100).set_up(here);
        return failure.call == Call::set_fds && failure.error == EMFILE;
    });
}

TEST_F(Conditions, OfMemoryFailWithTheirCallAndErrno) {
    if (place_of_rss_is_taken()) GTEST_SKIP() << kTaken;
    const rlimit small{1U << 30U, 1U << 30U};
    in_child([&] {
        if (setrlimit(RLIMIT_AS, &small) != 0) return false;
        const Failure failure = want(Parameter::rss, 2U << 30U).set_up(here);
        return failure.call == Call::set_rss && failure.error == ENOMEM;
    });
}

}  // namespace
}  // namespace nsb::bench
