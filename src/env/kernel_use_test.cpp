#include "env/kernel_use.h"

#include <gtest/gtest.h>

#include "env/fake_tree.h"

namespace nsb::env {
namespace {

constexpr const char* kMeminfo =
    "MemTotal:       24684140 kB\nSlab:             274276 kB\nSReclaimable:     200000 kB\n"
    "KernelStack:        1780 kB\nPercpu:              976 kB\n";
constexpr const char* kSlabinfo =
    "slabinfo - version: 2.1\n"
    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables\n"
    "net_namespace         25     56   4288    7    8 : tunables    0    0    0 : slabdata      8      8     "
    " 0\n"
    "pid_namespace         46     46    344   23    2 : tunables    0    0    0 : slabdata      2      2     "
    " 0\n";

TEST(KernelUseTest, ReadsMemoryInBytesAndNamespacesOfTheSet) {
    FakeTree tree;
    tree.file("/proc/meminfo", kMeminfo).file("/proc/slabinfo", kSlabinfo);
    const KernelUseReader net(Kind::net, tree.root());
    EXPECT_EQ(net.unknown(), "");
    const KernelUse use = net.read();
    EXPECT_EQ(use.namespaces, 25U);
    EXPECT_EQ(use.slab, 274276U << 10U);
    EXPECT_EQ(use.percpu, 976U << 10U);
    EXPECT_EQ(use.kernel_stack, 1780U << 10U);
    EXPECT_EQ(use.memory(), (274276U + 976U + 1780U) << 10U);
    EXPECT_EQ(KernelUseReader(Kind::net | Kind::pid, tree.root()).read().namespaces, 71U);
}

TEST(KernelUseTest, SaysWhyNamespacesAreNotCounted) {
    FakeTree tree;
    tree.file("/proc/meminfo", kMeminfo);
    EXPECT_NE(KernelUseReader(Kind::net, tree.root()).unknown().find("ENOENT"), std::string::npos);
    tree.file("/proc/slabinfo", "slabinfo - version: 2.1\n");
    EXPECT_NE(KernelUseReader(Kind::net, tree.root()).unknown().find("net_namespace"), std::string::npos);
    EXPECT_NE(KernelUseReader(Kind::mnt, tree.root()).unknown().find("NEWNS"), std::string::npos);
    EXPECT_EQ(KernelUseReader({}, tree.root()).unknown(), "no namespaces are made");
    const KernelUse use = KernelUseReader(Kind::net, tree.root()).read();
    EXPECT_EQ(use.namespaces, std::nullopt);
    EXPECT_TRUE(use.memory().has_value());
}

TEST(KernelUseTest, WhatAnOlderKernelLacksIsUnknownAndNoZero) {
    FakeTree tree;
    tree.file("/proc/meminfo", "Slab:  10 kB\nKernelStack: 2 kB\n");
    const KernelUse use = KernelUseReader({}, tree.root()).read();
    EXPECT_EQ(use.slab, 10240U);
    EXPECT_EQ(use.percpu, std::nullopt);
    EXPECT_EQ(use.memory(), std::nullopt);
}

}  // namespace
}  // namespace nsb::env
