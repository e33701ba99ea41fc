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

CallEdge edge(std::optional<std::string_view> parent, std::string_view function, double calls, double self) {
    return {
        parent ? std::optional(number_of(*parent)) : std::nullopt, number_of(function), calls, self, self, 0};
}

TEST(Added, IsWhatFunctionsTakeLongerOnTheWayFromTheSystemCall) {
    ProbedCase none, uts;
    none.edges = {edge({}, "kernel_clone", 1, 100), edge("kernel_clone", "copy_process", 1, 5000)};
    uts.edges = {edge({}, "kernel_clone", 1, 90), edge("kernel_clone", "copy_process", 1, 5000),
                 edge("copy_process", "copy_utsname", 1, 700),
                 // The process ends: no part of making it.
                 edge({}, "exit_task_namespaces", 1, 40),
                 edge("exit_task_namespaces", "switch_task_namespaces", 1, 60)};
    const std::vector<Added> adds = added(uts, none);
    ASSERT_EQ(adds.size(), 2U);
    EXPECT_EQ(adds[0].function, number_of("copy_utsname"));
    EXPECT_DOUBLE_EQ(adds[0].ticks, 700);
    EXPECT_EQ(adds[1].function, number_of("kernel_clone"));
    EXPECT_DOUBLE_EQ(adds[1].ticks, -10);
    EXPECT_DOUBLE_EQ(calls_in_create(uts), 3);
}

}  // namespace
}  // namespace nsb
