// The call tree of bpf/calls.bpf.h in the kernel: its programs are run one by one, attached to nothing.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "probe/attach.h"
#include "probe/state.h"

namespace nsb::probe {
namespace {

// Any functions do.
constexpr std::uint32_t kOuter = NSB_F_copy_process, kInner = NSB_F_copy_namespaces, kNext = NSB_F_alloc_pid;
constexpr std::uint32_t kFork = std::uint32_t{NSB_F_kernel_clone} | NSB_CREATE | NSB_FORKS;
constexpr std::uint32_t kWork = std::uint32_t{NSB_F_cleanup_net} | NSB_ASYNC | NSB_WORK;
constexpr std::uint32_t kSlot = 5, kRow = 1;

class Calls : public testing::Test {
  protected:
    void SetUp() override {
        if (geteuid() != 0 || fill_gaps(1).empty()) GTEST_SKIP() << "no BPF here";
        skeleton_ = open_skeleton();
        ASSERT_TRUE(skeleton_);
        bpf_program* program = nullptr;
        bpf_object__for_each_program(program, skeleton_->obj) {
            bpf_program__set_autoload(program,
                                      program == skeleton_->progs.enter || program == skeleton_->progs.leave);
        }
        ASSERT_EQ(nsb_probe::load(skeleton_.get()), 0);
        // Wherever the test runs, it is the task of that slot.
        for (__u32& here : skeleton_->bss->running) here = kSlot + 1;
        slot().task = {static_cast<__u32>(getpid()), 0, 0, kRow, 0, 0};
    }

    void enter(std::uint32_t what) { run(skeleton_->progs.enter, what); }
    void leave(std::uint32_t what) { run(skeleton_->progs.leave, what); }

    nsb_slot& slot() { return skeleton_->bss->slots[kSlot]; }

    std::uint64_t lost(nsb_lost reason) { return at<__u64>(skeleton_->maps.lost, reason); }

    /// Calls of a function on a path, the outermost one first.
    std::uint64_t calls(std::initializer_list<std::uint32_t> path, std::uint32_t row = kRow) {
        std::uint32_t node = NSB_ROOT;
        for (const std::uint32_t what : path) {
            node = skeleton_->bss->node_numbers[node * NSB_MAX_FUNCTIONS + (what & NSB_ID_MASK)];
            if (node == 0) return 0;
        }
        return at<nsb_calls>(skeleton_->maps.calls, row * NSB_NODES + node).calls;
    }

  private:
    static void run(const bpf_program* from, std::uint32_t what) {
        const auto program =
            load_copy(code_of(from), what, "nsb_test", BPF_PROG_TYPE_RAW_TRACEPOINT, bpf_attach_type{}, 0);
        ASSERT_TRUE(program) << program.error();
        LIBBPF_OPTS(bpf_test_run_opts, options);
        ASSERT_EQ(bpf_prog_test_run_opts(program->get(), &options), 0);
    }

    template <typename T>
    static T at(const bpf_map* map, std::uint32_t key) {
        T value{};
        EXPECT_EQ(bpf_map_lookup_elem(bpf_map__fd(map), &key, &value), 0);
        return value;
    }

    ProbeSkeleton skeleton_;
};

TEST_F(Calls, AreCountedOnTheirPath) {
    enter(kOuter);
    enter(kInner);
    leave(kInner);
    leave(kOuter);
    EXPECT_EQ(slot().depth, 0U);
    EXPECT_EQ(calls({kOuter}), 1U);
    EXPECT_EQ(calls({kOuter, kInner}), 1U);
    EXPECT_EQ(lost(NSB_LOST_MISMATCH), 0U);
}

TEST_F(Calls, AreFollowedOnBehindExitsThatWereMissed) {
    enter(kOuter);
    enter(kInner);
    enter(kNext);
    leave(kOuter);
    EXPECT_EQ(slot().depth, 0U);
    EXPECT_EQ(lost(NSB_LOST_MISMATCH), 2U);
    enter(kNext);
    leave(kNext);
    EXPECT_EQ(calls({kOuter}), 1U);
    EXPECT_EQ(calls({kNext}), 1U) << "below nothing";
    EXPECT_EQ(lost(NSB_LOST_MISMATCH), 2U);
}

TEST_F(Calls, AreFollowedOnBehindAnEntryThatWasMissed) {
    enter(kOuter);
    leave(kNext);
    EXPECT_EQ(slot().depth, 1U);
    EXPECT_EQ(lost(NSB_LOST_MISMATCH), 1U);
    enter(kInner);
    leave(kInner);
    leave(kOuter);
    EXPECT_EQ(slot().depth, 0U);
    EXPECT_EQ(calls({kOuter}), 1U);
    EXPECT_EQ(calls({kOuter, kInner}), 1U);
}

TEST_F(Calls, AreFollowedOnBehindAnExitThatWasMissedBelowAllFrames) {
    for (std::uint32_t id = 0; id <= NSB_DEPTH; ++id) enter(id);
    EXPECT_EQ(lost(NSB_LOST_DEPTH), 1U);
    for (std::uint32_t id = NSB_DEPTH; id-- > 0;) leave(id);
    EXPECT_EQ(slot().depth, 0U);
    EXPECT_EQ(calls({0}), 1U);
    EXPECT_EQ(lost(NSB_LOST_MISMATCH), 1U);
}

TEST_F(Calls, BeginAnewWithEachExecution) {
    slot().task.leads = 1;
    enter(kFork);
    enter(kInner);
    enter(kFork);
    leave(kFork);
    EXPECT_EQ(slot().depth, 0U);
    EXPECT_EQ(calls({kFork}, 2), 1U) << "the second one's row";
    EXPECT_EQ(lost(NSB_LOST_MISMATCH), 2U);
}

TEST_F(Calls, OfAWorkerEndWithItsNextWork) {
    slot().adopted = 1;
    enter(kWork);
    enter(kWork);
    leave(kWork);
    EXPECT_EQ(slot().task.pid, 0U) << "released";
    EXPECT_EQ(calls({kWork}), 1U);
    EXPECT_EQ(lost(NSB_LOST_MISMATCH), 1U);
}

}  // namespace
}  // namespace nsb::probe
