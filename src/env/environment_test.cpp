#include "env/environment.h"

#include <gtest/gtest.h>

#include <set>

#include "env/fake_tree.h"
#include "env/machine.h"

namespace nsb::env {
namespace {

class Environment : public testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(tree.made()); }
    std::string fact(std::string_view key) { return find(describe(tree.root()), key); }
    FakeTree tree;
};

TEST_F(Environment, SaysUnknownForWhatIsNotThere) {
    const auto facts = describe(tree.root());
    ASSERT_FALSE(facts.empty());
    for (const Fact& fact : facts) EXPECT_EQ(fact.value, kUnknown) << fact.key;
}

TEST_F(Environment, SurvivesFilesOfNonsense) {
    for (const std::string_view path : {"/proc/cpuinfo", "/proc/self/mountinfo", "/proc/meminfo",
                                        "/proc/modules", "/proc/cmdline", "/sys/devices/system/cpu/online",
                                        "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/self/status"}) {
        tree.file(path, std::string_view("\0[:-,]\n\n: \n[", 12));
    }
    tree.directory("/proc/sys/kernel/osrelease").directory("/proc/1/environ");
    EXPECT_EQ(fact("kernel"), kUnknown);
    EXPECT_EQ(fact("cpus"), kUnknown);
    EXPECT_EQ(fact("memory"), kUnknown);
    EXPECT_EQ(fact("mounts"), "0");
}

TEST_F(Environment, HasTheSameKeysInTheSameOrderEverywhere) {
    const auto here = describe();
    const auto there = describe(tree.root());
    ASSERT_EQ(here.size(), there.size());
    std::set<std::string> keys;
    for (std::size_t i = 0; i < here.size(); ++i) {
        EXPECT_EQ(here[i].key, there[i].key);
        EXPECT_TRUE(keys.insert(here[i].key).second) << here[i].key;
        EXPECT_EQ(here[i].key.find("host"), std::string::npos);
    }
    EXPECT_NE(find(here, "architecture"), kUnknown);
    EXPECT_EQ(find(here, "no such key"), kUnknown);
}

TEST_F(Environment, ReadsOneLineAsItStands) {
    tree.file("/proc/sys/kernel/osrelease", "6.12.1-test\n")
        .file("/proc/sys/kernel/arch", "x86_64\n")
        .file("/sys/kernel/security/lsm", "capability,landlock,bpf")
        .file("/proc/cmdline", "root=/dev/vda mitigations=auto quiet -- --for-init\n")
        .file("/sys/kernel/rcu_expedited", "1\n");
    EXPECT_EQ(fact("kernel"), "6.12.1-test");
    EXPECT_EQ(fact("architecture"), "x86_64");
    EXPECT_EQ(fact("lsms"), "capability,landlock,bpf");
    EXPECT_EQ(fact("kernel_command_line"), "root=/dev/vda mitigations=auto quiet");
    EXPECT_EQ(fact("rcu_expedited"), "1");
}

TEST_F(Environment, CountsOnlineCpus) {
    tree.file("/sys/devices/system/cpu/online", "0-3,8,10-11\n");
    EXPECT_EQ(fact("cpus"), "7");
}

TEST_F(Environment, NamesTheCpu) {
    tree.file("/proc/cpuinfo", "processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nflags\t\t: fpu\n");
    EXPECT_EQ(fact("cpu_model"), "AMD EPYC");
    tree.file("/proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n");
    EXPECT_EQ(fact("cpu_model"), "implementer 0x41 part 0xd0c");
}

TEST_F(Environment, NamesTheHypervisorOnlyWhereThereIsOne) {
    tree.file("/proc/cpuinfo", "flags\t\t: fpu vme\n").file("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n");
    EXPECT_EQ(fact("virtualisation"), "none");
    tree.file("/proc/cpuinfo", "flags\t\t: fpu hypervisor vme\n");
    EXPECT_EQ(fact("virtualisation"), "amazon");
    tree.file("/sys/class/dmi/id/sys_vendor", "Somebody\n");
    EXPECT_EQ(fact("virtualisation"), "hypervisor (unknown)");
    tree.file("/sys/devices/system/clocksource/clocksource0/available_clocksource",
              "tsc kvm-clock acpi_pm\n");
    EXPECT_EQ(fact("virtualisation"), "kvm");
    tree.file("/sys/class/dmi/id/product_name", "VMware Virtual Platform\n");
    EXPECT_EQ(fact("virtualisation"), "vmware");
    tree.file("/sys/hypervisor/type", "xen\n");
    EXPECT_EQ(fact("virtualisation"), "xen");
}

TEST_F(Environment, DoesNotTakeAMissingFlagForAPhysicalMachine) {
    tree.file("/proc/cpuinfo", "processor\t: 0\nFeatures\t: fp asimd\n");
    EXPECT_EQ(fact("virtualisation"), kUnknown);
    tree.file("/sys/class/dmi/id/sys_vendor", "QEMU\n");
    EXPECT_EQ(fact("virtualisation"), "qemu");
}

TEST_F(Environment, NamesTheContainer) {
    tree.link("/proc/self/ns/pid", "pid:[4026532200]");
    EXPECT_EQ(fact("container"), "own pid namespace");
    tree.file("/.dockerenv", "");
    EXPECT_EQ(fact("container"), "docker");
    tree.file("/proc/1/environ", std::string_view("A=1\0container=lxc\0B=2\0", 22));
    EXPECT_EQ(fact("container"), "lxc");
}

TEST_F(Environment, DoesNotTakeAFileForAContainer) {
    tree.link("/proc/self/ns/pid", "pid:[4026531836]");
    EXPECT_EQ(fact("container"), "none");
    tree.file("/.dockerenv", "");
    EXPECT_EQ(fact("container"), "none, though marked as docker: initial pid namespace");
}

TEST_F(Environment, TellsUserNamespacesApart) {
    tree.link("/proc/self/ns/user", "user:[4026531837]");
    EXPECT_EQ(fact("user_namespace"), "initial");
    FakeTree nested;
    nested.link("/proc/self/ns/user", "user:[4026532201]");
    EXPECT_EQ(find(describe(nested.root()), "user_namespace"), "nested");
}

TEST_F(Environment, TellsWhetherCgroupsFavourDynamicChanges) {
    EXPECT_EQ(fact("cgroup_favordynmods"), kUnknown);
    const std::string other = "20 1 8:1 / / rw shared:1 - ext4 /dev/vda favordynmods\n";
    tree.file("/proc/self/mountinfo", other);
    EXPECT_EQ(fact("cgroup_favordynmods"), "none mounted");
    const std::string mount = "30 20 0:25 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 ";
    tree.file("/proc/self/mountinfo", other + mount + "rw,nsdelegate\n");
    EXPECT_EQ(fact("cgroup_favordynmods"), kUnknown);
    tree.file("/sys/kernel/cgroup/features", "nsdelegate\nmemory_recursiveprot\n");
    EXPECT_EQ(fact("cgroup_favordynmods"), "no such option");
    tree.file("/sys/kernel/cgroup/features", "nsdelegate\nfavordynmods\nmemory_recursiveprot\n");
    EXPECT_EQ(fact("cgroup_favordynmods"), "no");
    tree.file("/proc/self/mountinfo", other + mount + "rw,favordynmods,nsdelegate\n");
    EXPECT_EQ(fact("cgroup_favordynmods"), "yes");
}

TEST_F(Environment, CountsVulnerabilities) {
    const std::string directory = "/sys/devices/system/cpu/vulnerabilities/";
    tree.file(directory + "l1tf", "Mitigation: PTE Inversion; VMX: SMT vulnerable\n")
        .file(directory + "itlb_multihit", "KVM: Mitigation: VMX disabled\n")
        .file(directory + "mds", "Vulnerable: no microcode\n")
        .file(directory + "tsa", "Not affected\n");
    EXPECT_EQ(fact("mitigations"), "unknown; 2 mitigated, 1 vulnerable, 1 not affected");
    tree.file("/proc/cmdline", "mitigations=auto mitigations=off -- mitigations=init\n")
        .file(directory + "new", "?\n");
    EXPECT_EQ(fact("mitigations"), "mitigations=off; 2 mitigated, 1 vulnerable, 1 not affected, 1 other");
    tree.file("/proc/cmdline", "quiet\n");
    EXPECT_TRUE(fact("mitigations").starts_with("default; "));
}

TEST_F(Environment, SaysWhichPreemptionIsInForce) {
    const std::string_view version = "/proc/sys/kernel/version";
    tree.file(version, "#1 SMP Debian 6.1\n");
    EXPECT_EQ(fact("preemption"), "none or voluntary");
    tree.file(version, "#1 SMP PREEMPT_RT Debian 6.1\n");
    EXPECT_EQ(fact("preemption"), "PREEMPT_RT");
    tree.file(version, "#1 SMP PREEMPT_DYNAMIC Debian 6.1\n");
    EXPECT_EQ(fact("preemption"), "PREEMPT_DYNAMIC (unknown)");
    tree.file("/sys/kernel/debug/sched/preempt", "none (voluntary) full lazy\n");
    EXPECT_EQ(fact("preemption"), "PREEMPT_DYNAMIC (voluntary)");
}

TEST_F(Environment, TellsCgroupVersionsApart) {
    const std::string proc = "22 27 0:21 / /proc rw - proc proc rw\n";
    const std::string v1 = "32 31 0:29 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n";
    const std::string v2 = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const std::string_view file = "/proc/self/mountinfo";
    EXPECT_EQ((tree.file(file, proc), fact("cgroup")), "none mounted");
    EXPECT_EQ((tree.file(file, proc + v1), fact("cgroup")), "v1");
    EXPECT_EQ((tree.file(file, proc + v2), fact("cgroup")), "v2");
    EXPECT_EQ((tree.file(file, proc + v1 + v2), fact("cgroup")), "hybrid");
    EXPECT_EQ(fact("mounts"), "3");
}

TEST_F(Environment, TellsAnInitramfsFromARootAboveIt) {
    const std::string_view file = "/proc/self/mountinfo";
    EXPECT_EQ(root_is_initramfs(tree.root()), std::nullopt);
    const std::string rootfs = "1 1 0:2 / / rw - rootfs rootfs rw\n";
    EXPECT_EQ(
        (tree.file(file, rootfs + "20 1 0:21 / /proc rw - proc proc rw\n"), root_is_initramfs(tree.root())),
        true);
    EXPECT_EQ(
        (tree.file(file, rootfs + "27 1 0:24 / / rw - tmpfs tmpfs rw\n"), root_is_initramfs(tree.root())),
        false);
    // A chroot, whose root is no mount.
    EXPECT_EQ((tree.file(file, "30 27 0:21 / /proc rw - proc proc rw\n"), root_is_initramfs(tree.root())),
              false);
}

TEST_F(Environment, ReadsTheRest) {
    tree.file("/proc/meminfo", "MemTotal:       24684096 kB\nMemFree: 1 kB\n")
        .file("/proc/modules", "veth 1 0 - Live 0x0\nbridge 1 0 - Live 0x0\n")
        .file("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
        .file("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
        .file("/sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "powersave\n")
        .file("/sys/devices/system/cpu/cpufreq/policy1/scaling_governor", "performance\n")
        .file("/sys/devices/system/cpu/cpufreq/policy2/scaling_governor", "powersave\n")
        .file("/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n")
        .file("/sys/devices/system/cpu/smt/active", "1\n");
    EXPECT_EQ(fact("memory"), "24684096 kB");
    EXPECT_EQ(fact("loaded_modules"), "2");
    EXPECT_EQ(fact("thp"), "madvise");
    EXPECT_EQ(fact("lockdown"), "integrity");
    EXPECT_EQ(fact("governor"), "powersave,performance");
    EXPECT_EQ(fact("turbo"), "off");
    EXPECT_EQ(fact("smt"), "on");
}

}  // namespace
}  // namespace nsb::env
