// Every namespace is real: what each operation asks of the kernel for each of the 256 sets, compared with
// what the links in /proc/PID/ns say. Needs root.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <climits>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "block.h"
#include "core/case.h"
#include "core/failure.h"

namespace nsb::bench {
namespace {

protocol::Request request_for(Operation operation, KindSet set) {
    protocol::Request request{};
    request.operation = operation;
    request.set = set;
    request.samples = 1;
    request.time_limit_ns = 10'000'000'000;
    request.values = Case::of(operation, set).values;
    return request;
}

/// The inode of each namespace that a process is in, by kind.
std::map<Kind, ino_t> namespaces_of(const std::string& process) {
    std::map<Kind, ino_t> inodes;
    for (const KindInfo& kind : kKinds) {
        const std::string link = fmt::format("/proc/{}/ns/{}", process, kind.name);
        struct stat s {};
        EXPECT_EQ(stat(link.c_str(), &s), 0) << link;
        inodes[kind.kind] = s.st_ino;
    }
    return inodes;
}

KindSet differing(const std::map<Kind, ino_t>& a, const std::map<Kind, ino_t>& b) {
    KindSet set;
    for (const auto& [kind, inode] : a) {
        if (b.at(kind) != inode) set = set | kind;
    }
    return set;
}

int wait_to_be_killed(void* /*unused*/) {
    for (;;) pause();
}

void wait_until_stopped(pid_t pid) {
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, WUNTRACED), pid);
    EXPECT_TRUE(WIFSTOPPED(status));
}

/// The namespaces that a process has and this one has not.
KindSet new_namespaces(pid_t pid) {
    return differing(namespaces_of(std::to_string(pid)), namespaces_of("self"));
}

void end(pid_t pid) {
    kill(pid, SIGKILL);
    EXPECT_TRUE(sys::reap(pid));
}

class EverySet : public testing::Test {
  protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "making namespaces without a user namespace needs root";
    }
    template <typename Check>
    void for_each_set(Check check) {
        for (int bits = 0; bits < KindSet::kCount; ++bits) check(KindSet(static_cast<std::uint8_t>(bits)));
    }

    /// Shared with the children, as the sampler's is, and a file with the same number.
    struct Shared {
        Shared() {
            EXPECT_EQ(ftruncate(file, sizeof(SharedMemory)), 0);
            if (file != protocol::kMemory) {
                EXPECT_EQ(dup2(file, protocol::kMemory), protocol::kMemory);
            }
        }
        ~Shared() {
            munmap(mapping, sizeof(SharedMemory));
            if (file != protocol::kMemory) close(protocol::kMemory);
            close(file);
        }
        Shared(const Shared&) = delete;
        Shared& operator=(const Shared&) = delete;
        Shared(Shared&&) = delete;
        Shared& operator=(Shared&&) = delete;
        const int file = memfd_create("memory", 0);
        void* const mapping =
            mmap(nullptr, sizeof(SharedMemory), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    } shared_;
    SharedMemory& memory_ = *static_cast<SharedMemory*>(shared_.mapping);
};

void expect_cloned(Operation operation, KindSet set, SharedMemory& memory) {
    const protocol::Request request = request_for(operation, set);
    const Block block(request, memory);
    const auto stack = sys::Stack::map(1U << 20U, false);
    ASSERT_TRUE(stack);
    const auto pid = sys::clone_child(clone_options(block), *stack, wait_to_be_killed, nullptr);
    ASSERT_TRUE(pid) << to_string(set) << ": " << pid.error();
    EXPECT_EQ(to_string(new_namespaces(*pid)), to_string(set));
    end(*pid);
}

TEST_F(EverySet, CloneMakesExactlyThese) {
    for_each_set([&](KindSet set) { expect_cloned(Operation::clone, set, memory_); });
}

TEST_F(EverySet, Clone3MakesExactlyThese) {
    for_each_set([&](KindSet set) { expect_cloned(Operation::clone3, set, memory_); });
}

TEST_F(EverySet, UnshareMakesExactlyThese) {
    for_each_set([&](KindSet set) {
        const auto pid = sys::plain_fork();
        ASSERT_TRUE(pid);
        if (*pid == 0) {
            // pid and time namespaces are for the children: one shows them all.
            if (unshare(static_cast<int>(set.flags())) != 0) _exit(1);
            const auto grandchild = sys::plain_fork();
            if (grandchild && *grandchild == 0) wait_to_be_killed(nullptr);
            memory_.child_begin = static_cast<std::uint64_t>(grandchild.value_or(0));
            raise(SIGSTOP);
            _exit(0);
        }
        wait_until_stopped(*pid);
        const auto grandchild = static_cast<pid_t>(memory_.child_begin);
        EXPECT_EQ(to_string(new_namespaces(grandchild)), to_string(set));
        kill(grandchild, SIGKILL);
        end(*pid);
    });
}

TEST_F(EverySet, EveryOperationMeasuresEverySetThatItTakes) {
    for (const OperationInfo& operation : kOperations) {
        if (operation.operation == Operation::runtime) continue;  // other programs, in a sandbox
        for_each_set([&](KindSet set) {
            if (!operation.takes(set)) return;
            protocol::Request request = request_for(operation.operation, set);
            if (operation.operation == Operation::setns && set.size() > 1) {
                request.values[static_cast<std::size_t>(Parameter::join_via)] =
                    static_cast<std::uint64_t>(JoinVia::pidfd);
            }
            Block block(request, memory_);
            find(operation.operation)(block);
            ASSERT_EQ(block.filled(), 1U);
            const Record& record = memory_.records[0];
            ASSERT_EQ(record.failure.error, 0)
                << operation.name << ' ' << to_string(set) << ": " << protocol::name(record.failure.call);
            for (const Phase phase : Case::of(operation.operation, set).phases()) {
                if (phase == Phase::drain) continue;  // nsbench sees that, not the sampler
                EXPECT_GT(record.times[static_cast<std::size_t>(phase)], 0U)
                    << operation.name << ' ' << to_string(set) << ' ' << info(phase).name;
            }
        });
    }
}

/// What a block could leave behind in what this process is in.
std::string surroundings() {
    std::string text;
    for (const auto& [kind, inode] : namespaces_of("self")) text += fmt::format("{} ", inode);
    for (const char* const path : {"/proc/self/mountinfo", "/proc/self/net/dev"}) {
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);) text += line.substr(0, line.find(':')) + '\n';
    }
    for (const char* const path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
            const std::string name = entry.path().filename();
            if (name.starts_with(fmt::format("nsbench-{}-", getpid()))) text += name + '\n';
        }
    }
    char folder[PATH_MAX];
    return text + getcwd(folder, sizeof folder);
}

/// The cases of all operations that compare ways, and those of containers by each way to their mounts.
std::vector<Case> cases_of_ways() {
    std::vector<Case> cases;
    const auto add = [&](Operation operation, KindSet set, Parameter parameter) {
        for (std::size_t i = 0; i < info(parameter).choices().size(); ++i)
            cases.push_back(Case::of(operation, set).with(parameter, i));
    };
    for (const KindSet others : {KindSet{}, KindSet(Kind::user)}) {
        add(Operation::mount_ns, others | Kind::mnt, Parameter::mntns_via);
        add(Operation::veth, others | Kind::net, Parameter::made);
    }
    add(Operation::veth, Kind::net, Parameter::bridged);
    add(Operation::cgroup, {}, Parameter::cgroup_via);
    add(Operation::mountinfo, {}, Parameter::mountinfo_via);
    add(Operation::container, Kind::mnt | Kind::pid, Parameter::mntns);
    return cases;
}

/// The first sample of a block also looks whether it has made what it should have: a root that is the tree
/// alone, a connected link, a child in its cgroup.
TEST_F(EverySet, EveryWayLeadsWhereItShouldAndLeavesNothing) {
    const std::string before = surroundings();
    std::string missing;
    for (const Case& c : cases_of_ways()) {
        protocol::Request request = request_for(c.operation, c.set);
        request.values = c.values;
        request.samples = 3;
        Block block(request, memory_);
        find(c.operation)(block);
        EXPECT_EQ(surroundings(), before) << to_string(c);
        const Record& last = memory_.records[block.filled() - 1];
        if (last.failure.error != 0) {
            EXPECT_TRUE(is_unsupported(last.failure)) << to_string(c) << ": " << explain(last.failure);
            EXPECT_EQ(block.filled(), 1U) << to_string(c);
            missing += fmt::format("\n{}: {}", to_string(c), explain(last.failure));
            continue;
        }
        EXPECT_EQ(block.filled(), 3U) << to_string(c);
        for (const Phase phase : c.phases()) {
            if (phase == Phase::drain) continue;
            EXPECT_GT(last.times[static_cast<std::size_t>(phase)], 0U)
                << to_string(c) << ' ' << info(phase).name;
        }
    }
    // Those of 5.10 are there in every kernel.
    EXPECT_EQ(missing.find("via:clone"), std::string::npos) << missing;
    EXPECT_EQ(missing.find("via:unshare"), std::string::npos) << missing;
    EXPECT_EQ(missing.find("via:proc"), std::string::npos) << missing;
    if (!missing.empty()) GTEST_SKIP() << "not in this kernel:" << missing;
}

/// A flag that a kernel ignored would be measured as what it is not.
TEST_F(EverySet, AnEmptyMountNamespaceIsEmptyOrRefused) {
    const auto stack = sys::Stack::map(1U << 16U, false);
    ASSERT_TRUE(stack);
    sys::CloneOptions options;
    options.flags = KindSet(Kind::mnt).flags() | sys::kCloneEmptyMntns;
    options.use_clone3 = true;
    const auto has_no_tree = [](void* /*unused*/) { return access("/proc", F_OK) == 0 ? 1 : 0; };
    const auto pid = sys::clone_child(options, *stack, has_no_tree, nullptr);
    if (!pid) {
        EXPECT_EQ(pid.error(), EINVAL);
        GTEST_SKIP() << "not in this kernel";
    }
    EXPECT_EQ(sys::reap(*pid).value_or(-1), 0);
}

TEST(Runtime, IsRefusedOutsideItsStage) {
    protocol::SharedMemory memory{};
    const protocol::Request request = request_for(Operation::runtime, Kind::mnt | Kind::pid);
    Block block(request, memory);
    find(Operation::runtime)(block);
    EXPECT_EQ(memory.records[0].failure.call, Call::sandbox);
    EXPECT_EQ(memory.records[0].failure.error, EINVAL);
}

TEST(TimeNamespaceTrap, CloneNeverTakesItsFlag) {
    // Up to 7.0 the kernel takes clone(0x80|SIGCHLD) for an exit signal of 145 and makes no time namespace.
    const auto stack = sys::Stack::map(1U << 16U, false);
    ASSERT_TRUE(stack);
    sys::CloneOptions options;
    options.flags = KindSet(Kind::time).flags();
    const auto pid = sys::clone_child(options, *stack, wait_to_be_killed, nullptr);
    ASSERT_FALSE(pid);
    EXPECT_EQ(pid.error(), EINVAL);
}

TEST(TimeNamespaceTrap, ABlockWithItUsesClone3) {
    protocol::SharedMemory memory{};
    for (const KindSet set : {KindSet(Kind::time), Kind::time | Kind::pid, KindSet::all()}) {
        const protocol::Request request = request_for(Operation::clone, set);
        EXPECT_TRUE(clone_options(Block(request, memory)).use_clone3);
    }
    const protocol::Request request = request_for(Operation::clone, KindSet::all() - Kind::time);
    EXPECT_FALSE(clone_options(Block(request, memory)).use_clone3);
}

TEST(Stack, HasAGuardPageBelow) {
    const auto stack = sys::Stack::map(1U << 16U, true);
    ASSERT_TRUE(stack);
    EXPECT_DEATH(*(static_cast<volatile char*>(stack->base()) - 1) = 1, "");
    *(static_cast<volatile char*>(stack->top()) - 1) = 1;
}

TEST(Block, EndsAtTheFirstFailureWithoutTimes) {
    protocol::SharedMemory memory{};
    protocol::Request request = request_for(Operation::clone, {});
    request.samples = 5;
    Block block(request, memory);
    time_of(*block.next(), Phase::create) = 1;
    time_of(*block.next(), Phase::create) = 2;
    EXPECT_GT(memory.records[0].ended, 0U);
    block.fail({Call::clone, EAGAIN});
    EXPECT_EQ(block.next(), nullptr);
    EXPECT_EQ(block.filled(), 2U);
    EXPECT_EQ(memory.records[1].failure.error, EAGAIN);
    EXPECT_EQ(memory.records[1].times[0], 0U);
}

}  // namespace
}  // namespace nsb::bench
