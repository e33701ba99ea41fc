#include "env/teardown.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace nsb::env {
namespace {

constexpr const char* kOld =
    "ffffffff81000010 t free_ipc\n"
    "ffffffff81000020 t cleanup_net\n"
    "ffffffff81000021 t cleanup_net.cold\n"
    "ffffffff81000030 T free_user_ns\n";

sys::Expected<std::vector<Worker>> find_workers(std::string_view kallsyms) {
    WorkerSearch search;
    sys::each_kernel_symbol(kallsyms, [&search](const sys::KernelSymbol& symbol) { search.see(symbol); });
    return std::move(search).found();
}

TEST(Workers, AreThoseThatTheKernelHas) {
    const auto workers = find_workers(kOld);
    ASSERT_TRUE(workers);
    std::map<std::string_view, std::uint64_t> addresses;
    for (const Worker& worker : *workers) addresses[worker.function->name] = worker.address & 0xffU;
    EXPECT_EQ(addresses, (std::map<std::string_view, std::uint64_t>{{"free_ipc", 0x10},
                                                                    {"cleanup_net", 0x20},
                                                                    {"free_user_ns", 0x30},
                                                                    {"destroy_pid_namespace_work", 0}}));
    const auto now = find_workers(std::string(kOld) + "ffffffff81000040 t destroy_pid_namespace_work");
    ASSERT_TRUE(now);
    EXPECT_TRUE(std::ranges::all_of(*now, [](const Worker& worker) { return worker.address != 0; }));
}

TEST(Workers, AreRefusedWithWhatIsMissing) {
    EXPECT_EQ(find_workers("").error().text(), "/proc/kallsyms shows no addresses: EPERM");
    EXPECT_EQ(find_workers("0000000000000000 t cleanup_net\n").error().text(),
              "/proc/kallsyms shows no addresses: EPERM");
    EXPECT_EQ(find_workers("ffffffff81000010 t free_ipc\nffffffff81000020 t cleanup_net").error().text(),
              "/proc/kallsyms: free_user_ns: ENOENT");
}

TEST(Workers, AreLookedForUntilAllAreFound) {
    WorkerSearch search;
    std::vector<bool> goes_on;
    sys::each_kernel_symbol(std::string(kOld) + "ffffffff81000040 t destroy_pid_namespace_work",
                            [&](const sys::KernelSymbol& symbol) { goes_on.push_back(search.see(symbol)); });
    EXPECT_EQ(goes_on, (std::vector<bool>{true, true, true, true, false}));
}

TEST(WorkerLedger, ABatchIsOverWhenAllThatWasQueuedHasEnded) {
    WorkerLedger net(true);
    net.begin(false);
    EXPECT_TRUE(net.is_done(0));
    EXPECT_FALSE(net.is_done(5));
    net.queued();
    EXPECT_FALSE(net.is_done(5));
    net.started(1000);
    net.queued();  // more came while it ran
    net.ended(1500);
    EXPECT_FALSE(net.is_done(5));
    net.started(2000);
    EXPECT_FALSE(net.is_done(5));
    net.ended(2100);
    EXPECT_TRUE(net.is_done(5));
    EXPECT_DOUBLE_EQ(net.busy(), 600);
}

TEST(WorkerLedger, OneItemEachMayOverlap) {
    WorkerLedger user(false);
    user.started(100);
    user.started(110);
    user.ended(120);
    EXPECT_FALSE(user.is_done(1));  // a running one has no time yet
    user.ended(150);
    EXPECT_TRUE(user.is_done(2));
    EXPECT_FALSE(user.is_done(3));
    EXPECT_DOUBLE_EQ(user.busy(), 20 + 40);
}

TEST(WorkerLedger, MoreThanIsKnownOfMayHaveBeenQueued) {
    WorkerLedger pid(false);
    for (int i = 0; i < 3; ++i) pid.queued();
    pid.started(100);
    pid.ended(120);
    EXPECT_FALSE(pid.is_done(1));
    for (int i = 0; i < 2; ++i) {
        pid.started(200);
        pid.ended(210);
    }
    EXPECT_TRUE(pid.is_done(1));
}

TEST(WorkerLedger, WhatRanBeforeTheBatchHasNoTimeInIt) {
    WorkerLedger net(true);
    net.queued();
    net.started(100);
    net.begin(false);
    net.queued();
    net.ended(5000);  // the earlier one
    EXPECT_FALSE(net.is_done(1));
    net.started(6000);
    net.ended(6010);
    EXPECT_TRUE(net.is_done(1));
    EXPECT_DOUBLE_EQ(net.busy(), 10);
}

TEST(WorkerLedger, ALostEndIsNotWaitedForForEver) {
    WorkerLedger net(true);
    net.queued();
    net.begin(true);
    net.queued();
    net.started(1);
    net.ended(2);
    EXPECT_TRUE(net.is_done(1));
}

}  // namespace
}  // namespace nsb::env
