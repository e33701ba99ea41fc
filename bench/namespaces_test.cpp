// Every namespace is real: what each operation asks of the kernel for each of the 256 sets, compared with
// what the links in /proc/PID/ns say. Needs root.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <map>
#include <string>

#include "block.h"
#include "core/case.h"

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
