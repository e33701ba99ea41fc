#include "core/probed.h"

#include <gtest/gtest.h>

namespace nsb {
namespace {

std::size_t number_of(std::string_view name) {
    for (std::size_t i = 0; i < kTraced.size(); ++i) {
        if (kTraced[i].name == name) return i;
    }
    ADD_FAILURE() << name << " is not traced";
    return 0;
}

CallNode node(std::optional<std::size_t> caller, std::string_view function, Stage stage, double self) {
    return {caller, number_of(function), stage, 1, self, self, 0, 0};
}

TEST(Added, IsWhatFunctionsTakeLongerInTheSystemCall) {
    ProbedCase none;
    ProbedCase uts;
    none.calls = {node({}, "kernel_clone", Stage::call, 100), node(0, "copy_process", Stage::call, 5000)};
    uts.calls = {node({}, "kernel_clone", Stage::call, 90), node(0, "copy_process", Stage::call, 5000),
                 node(1, "copy_utsname", Stage::call, 700),
                 // The process ends: no part of making it.
                 node({}, "exit_task_namespaces", Stage::destroy, 40),
                 node(3, "switch_task_namespaces", Stage::destroy, 60)};
    const std::vector<Added> adds = added(uts, none);
    ASSERT_EQ(adds.size(), 2U);
    EXPECT_EQ(adds[0].function, number_of("copy_utsname"));
    EXPECT_DOUBLE_EQ(adds[0].ticks, 700);
    EXPECT_EQ(adds[1].function, number_of("kernel_clone"));
    EXPECT_DOUBLE_EQ(adds[1].ticks, -10);
    EXPECT_DOUBLE_EQ(sum_of_call(uts).calls, 3);
    EXPECT_DOUBLE_EQ(sum_of_call(uts).ticks, 90);
}

TEST(FirstPhase, IsNotTheWholeCallWhereThatGoesOn) {
    for (const Operation operation : {Operation::clone, Operation::container, Operation::veth})
        EXPECT_TRUE(is_whole_call_timed(operation));
    EXPECT_FALSE(is_whole_call_timed(Operation::mount_ns)) << "create is one call of several";
}

TEST(Stage, TellsTheCallThatIsTimedFromThoseThatPrepareIt) {
    const auto stage = [](std::string_view function, Operation operation) {
        return to_string(stage_of(number_of(function), operation));
    };
    EXPECT_EQ(stage("kernel_clone", Operation::clone), "call");
    EXPECT_EQ(stage("kernel_clone", Operation::clone3), "call");
    EXPECT_EQ(stage("kernel_clone", Operation::unshare), "prepare");
    EXPECT_EQ(stage("ksys_unshare", Operation::unshare), "call");
    EXPECT_EQ(stage("__x64_sys_setns", Operation::setns), "call");
    EXPECT_EQ(stage("__x64_sys_mount", Operation::proc_remount), "call");
    EXPECT_EQ(stage("__x64_sys_umount", Operation::proc_remount), "destroy");
    EXPECT_EQ(stage("switch_task_namespaces", Operation::clone), "destroy");
    EXPECT_EQ(stage("cleanup_net", Operation::clone), "async");
}

}  // namespace
}  // namespace nsb
