#include "env/checks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "env/fake_tree.h"
#include "env/machine.h"

namespace nsb::env {
namespace {

constexpr std::string_view kStatus = "/proc/self/status";
constexpr Capabilities kAll = 0x1ffffffffff;
constexpr std::string_view kMountinfo = "/proc/self/mountinfo";

class Checks : public testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(tree.made()); }

    Finding run(std::string_view id) {
        const auto all = checks();
        const auto at =
            std::find_if(all.begin(), all.end(), [&](const DoctorCheck& check) { return check.id == id; });
        if (at == all.end()) return {"", Severity::problem, fmt::format("no check {}", id), "", ""};
        return at->run(tree.root());
    }
    void expect(std::string_view id, Severity severity, std::string_view observed,
                std::string_view remedy = "") {
        const Finding finding = run(id);
        EXPECT_EQ(finding.severity, severity) << id << ": " << finding.observed;
        EXPECT_EQ(finding.observed, observed) << id;
        EXPECT_EQ(finding.remedy.substr(0, remedy.size()), remedy) << id;
        EXPECT_EQ(finding.effect.empty(), severity == Severity::ok) << id;
        EXPECT_EQ(finding.remedy.empty(), severity == Severity::ok) << id;
    }

    FakeTree tree;
};

TEST_F(Checks, NoteWhatCannotBeSeen) {
    const auto findings = examine(tree.root());
    ASSERT_EQ(findings.size(), checks().size());
    for (const Finding& finding : findings) {
        if (finding.id == "proc") continue;  // that it is not there is what is seen
        EXPECT_EQ(finding.severity, Severity::note) << finding.id;
        EXPECT_FALSE(finding.effect.empty()) << finding.id;
        EXPECT_TRUE(finding.remedy.starts_with("nothing to do here: ")) << finding.id;
        const bool says_so =
            finding.observed.starts_with(kUnknown) || finding.observed == "cannot be seen here";
        EXPECT_TRUE(says_so) << finding.id << ": " << finding.observed;
    }
}

TEST_F(Checks, RunOnThisMachineToo) {
    const auto findings = examine();
    ASSERT_EQ(findings.size(), checks().size());
    std::set<std::string> ids;
    for (std::size_t i = 0; i < findings.size(); ++i) {
        const Finding& finding = findings[i];
        EXPECT_EQ(finding.id, checks()[i].id);
        EXPECT_TRUE(ids.insert(finding.id).second) << finding.id;
        EXPECT_FALSE(finding.observed.empty()) << finding.id;
        EXPECT_EQ(finding.effect.empty(), finding.severity == Severity::ok) << finding.id;
        EXPECT_EQ(finding.remedy.empty(), finding.severity == Severity::ok) << finding.id;
    }
}

TEST_F(Checks, SeveritiesHaveNames) {
    EXPECT_EQ(to_string(Severity::ok), "ok");
    EXPECT_EQ(to_string(Severity::problem), "problem");
}

TEST_F(Checks, Governor) {
    tree.file("/sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance\n");
    expect("governor", Severity::ok, "performance");
    tree.file("/sys/devices/system/cpu/cpufreq/policy4/scaling_governor", "schedutil\n");
    expect("governor", Severity::warning, "performance,schedutil", "echo performance | sudo tee ");
}

TEST_F(Checks, Turbo) {
    tree.file("/sys/devices/system/cpu/cpufreq/boost", "0\n");
    expect("turbo", Severity::ok, "off");
    tree.file("/sys/devices/system/cpu/cpufreq/boost", "1\n");
    expect("turbo", Severity::warning, "on", "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost");
    tree.file("/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
    expect("turbo", Severity::warning, "on",
           "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo");
}

TEST_F(Checks, SmtSiblings) {
    tree.file("/sys/devices/system/cpu/smt/active", "0\n");
    expect("smt", Severity::ok, "off");
    tree.file("/sys/devices/system/cpu/smt/active", "1\n");
    expect("smt", Severity::note, "on", "echo off | sudo tee ");
}

TEST_F(Checks, StealTime) {
    tree.file("/proc/stat", "cpu  100 0 100 9790 10 0 0 0 0 0\ncpu0 1 1 1\n");
    expect("steal_time", Severity::ok, "0.00% since boot, 0% over 100 ms");
    tree.file("/proc/stat", "cpu  100 0 100 9740 10 0 0 50 0 0\n");
    expect("steal_time", Severity::note, "0.50% since boot, 0% over 100 ms", "nothing to do here: ");
    tree.file("/proc/stat", "cpu  100 0 100 9590 10 0 0 200 0 0\n");
    expect("steal_time", Severity::warning, "2.00% since boot, 0% over 100 ms");
    tree.file("/proc/stat", "cpu  0 0 0 0 0 0 0 0 0 0\n");
    expect("steal_time", Severity::ok, "0.00% since boot, 0% over 100 ms");
    tree.file("/proc/stat", "cpu  100 0 x\n");
    expect("steal_time", Severity::note, kUnknown);
}

TEST_F(Checks, Load) {
    tree.file("/sys/devices/system/cpu/online", "0-3\n").file("/proc/loadavg", "0.40 0.1 0.1 1/81 3471\n");
    expect("load", Severity::ok, "0.40 on 4 CPUs");
    tree.file("/proc/loadavg", "1.00 0.1 0.1 1/81 3471\n");
    expect("load", Severity::note, "1.00 on 4 CPUs", "ps ");
    tree.file("/proc/loadavg", "4.50 0.1 0.1 1/81 3471\n");
    expect("load", Severity::warning, "4.50 on 4 CPUs");
    tree.file("/sys/devices/system/cpu/online", "0\n");
    expect("load", Severity::warning, "4.50 on 1 CPU");
}

TEST_F(Checks, Clocksource) {
    const std::string directory = "/sys/devices/system/clocksource/clocksource0/";
    for (const std::string_view fast : {"tsc", "kvm-clock", "arch_sys_counter"}) {
        tree.file(directory + "current_clocksource", fast);
        expect("clocksource", Severity::ok, fast);
    }
    tree.file(directory + "current_clocksource", "hpet\n");
    expect("clocksource", Severity::warning, "hpet", "nothing to do here: ");
    tree.file(directory + "available_clocksource", "hpet acpi_pm\n");
    expect("clocksource", Severity::warning, "hpet",
           "nothing to do here: no faster clock is available (hpet acpi_pm)");
    tree.file(directory + "available_clocksource", "hpet tsc acpi_pm\n");
    expect("clocksource", Severity::warning, "hpet", "echo tsc | sudo tee ");
}

TEST_F(Checks, Virtualisation) {
    tree.link("/proc/self/ns/pid", "pid:[4026531836]").file("/proc/cpuinfo", "flags : fpu\n");
    expect("virtualisation", Severity::ok, "none; container: none");
    tree.file("/proc/cpuinfo", "flags : fpu hypervisor\n");
    expect("virtualisation", Severity::note, "hypervisor (unknown); container: none", "nothing to do here: ");
}

TEST_F(Checks, Mitigations) {
    const std::string directory = "/sys/devices/system/cpu/vulnerabilities/";
    tree.file("/proc/cmdline", "quiet\n").file(directory + "l1tf", "Not affected\n");
    expect("mitigations", Severity::ok, "default; 0 mitigated, 0 vulnerable, 1 not affected");
    tree.file(directory + "mds", "Vulnerable\n");
    expect("mitigations", Severity::note, "default; 0 mitigated, 1 vulnerable, 1 not affected");
    tree.file(directory + "mds", "Mitigation: Clear CPU buffers\n");
    expect("mitigations", Severity::note, "default; 1 mitigated, 0 vulnerable, 1 not affected");
}

TEST_F(Checks, TransparentHugePages) {
    const std::string_view file = "/sys/kernel/mm/transparent_hugepage/enabled";
    tree.file(file, "always madvise [never]\n");
    expect("thp", Severity::ok, "never");
    tree.file(file, "[always] madvise never\n");
    expect("thp", Severity::warning, "always", "echo madvise | sudo tee ");
}

TEST_F(Checks, Mounts) {
    std::string text = "1 0 254:0 / / rw - ext4 /dev/vda rw\n";
    tree.file(kMountinfo, text);
    expect("mounts", Severity::ok, "1");
    for (int i = 2; i <= 101; ++i) text += fmt::format("{} 1 0:{} / /mnt/{} rw - tmpfs tmpfs rw\n", i, i, i);
    tree.file(kMountinfo, text);
    expect("mounts", Severity::note, "101", "findmnt");
}

TEST_F(Checks, MountPropagation) {
    tree.file(kMountinfo, "1 0 254:0 / / rw,relatime - ext4 /dev/vda rw\n");
    expect("mount_propagation", Severity::ok, "/ is not shared");
    tree.file(kMountinfo, "1 0 254:0 / / rw,relatime master:7 shared:1 - ext4 /dev/vda rw\n");
    expect("mount_propagation", Severity::note, "/ is shared", "sudo unshare --mount --propagation private ");
    // An overmounted root: the upper one counts.
    tree.file(kMountinfo,
              "1 1 0:2 / / rw shared:1 - rootfs rootfs rw\n2 1 254:0 / / rw - ext4 /dev/vda rw\n");
    expect("mount_propagation", Severity::ok, "/ is not shared");
}

TEST_F(Checks, ProcOvermounts) {
    const std::string proc = "1 0 254:0 / / rw - ext4 /dev/vda rw\n22 1 0:21 / /proc rw - proc proc rw\n";
    const std::string expected =
        "30 22 0:30 / /proc/sys/fs/binfmt_misc rw shared:2 - autofs systemd-1 rw\n"
        "31 30 0:31 / /proc/sys/fs/binfmt_misc rw - binfmt_misc binfmt_misc rw\n";
    const std::string masked =
        "40 22 0:40 / /proc/acpi ro - tmpfs tmpfs ro\n41 22 0:21 /sys /proc/sys ro - proc proc ro\n";
    tree.file(kMountinfo, proc + expected);
    expect("proc_overmounts", Severity::ok, "none");
    tree.file(kMountinfo, proc + expected + masked);
    expect("proc_overmounts", Severity::warning, "/proc/acpi /proc/sys",
           "nothing to do here: start the container");
    tree.link("/proc/self/ns/pid", "pid:[4026531836]");
    expect("proc_overmounts", Severity::warning, "/proc/acpi /proc/sys", "sudo umount /proc/acpi /proc/sys");
    tree.file(kMountinfo, proc + masked + "50 1 0:50 / /mnt/proc rw - proc proc rw\n");
    expect("proc_overmounts", Severity::ok, "none");
}

TEST_F(Checks, TeardownBacklog) {
    tree.file("/proc/7/comm", "bash+netns\n");
    expect("teardown_backlog", Severity::note, "cannot be seen here");
    tree.file("/proc/8/comm", "kworker/R-netns\n").file("/proc/9/comm", "kworker/u8:1-netns\n");
    expect("teardown_backlog", Severity::ok, "no worker tears down net namespaces");
    tree.file("/proc/9/comm", "kworker/u8:1+netns\n");
    expect("teardown_backlog", Severity::warning, "kworker/u8:1+netns is at work", "sleep ");
}

TEST_F(Checks, Rcu) {
    tree.file("/sys/kernel/rcu_expedited", "0\n").file("/sys/kernel/rcu_normal", "0\n");
    expect("rcu", Severity::ok, "rcu_expedited=0 rcu_normal=0");
    tree.file("/sys/kernel/rcu_expedited", "1\n");
    expect("rcu", Severity::warning, "rcu_expedited=1 rcu_normal=0",
           "echo 0 | sudo tee /sys/kernel/rcu_expedited");
    tree.file("/sys/kernel/rcu_normal", "1\n");
    expect("rcu", Severity::warning, "rcu_expedited=1 rcu_normal=1",
           "echo 0 | sudo tee /sys/kernel/rcu_normal");
}

TEST_F(Checks, TheWorkerOfRcu) {
    expect("rcu_worker", Severity::note, "unknown");
    tree.file("/proc/2/comm", "kthreadd\n");
    expect("rcu_worker", Severity::ok, "none");
    kernel_thread(tree, 17, "rcu_exp_gp_kthread_worker", "0-3", 1);
    expect("rcu_worker", Severity::note, "last on CPU 1 of 0-3",
           "sudo nsbench doctor --prepare --leave=cpuset -- ");
    kernel_thread(tree, 17, "rcu_exp_gp_kthread_worker", "3", 3);
    expect("rcu_worker", Severity::ok, "CPU 3");
}

TEST_F(Checks, Lockdown) {
    const std::string_view file = "/sys/kernel/security/lockdown";
    tree.file(file, "none [integrity] confidentiality\n");
    expect("lockdown", Severity::ok, "integrity");
    tree.file(file, "none integrity [confidentiality]\n");
    expect("lockdown", Severity::warning, "confidentiality", "nothing to do here: ");
}

TEST_F(Checks, ProbeNeedsTypesAndCapabilities) {
    tree.held(kAll);
    expect("probe", Severity::note, kUnknown, "nothing to do here: /proc does not show");
    tree.link("/proc/self/ns/pid", "pid:[4026531836]");
    expect("probe", Severity::note, kUnknown, "nothing to do here: sysfs");
    tree.directory("/sys/kernel/mm");
    expect("probe", Severity::note, "the kernel has no BTF", "nothing to do here: ");
    tree.file("/sys/kernel/btf/vmlinux", "BTF");
    expect("probe", Severity::ok, "BTF, and the capabilities");
    tree.held(0);
    expect("probe", Severity::note, "no CAP_BPF, CAP_PERFMON, CAP_SYSLOG", "sudo nsbench");
}

TEST_F(Checks, ProbeNeedsTheInitialPidNamespace) {
    tree.held(kAll).file("/sys/kernel/btf/vmlinux", "BTF");
    tree.link("/proc/self/ns/pid", "pid:[4026532200]");
    expect("probe", Severity::note, "inside a pid namespace", "nothing to do here: ");
}

TEST_F(Checks, ProcMayBeOfAnotherPidNamespace) {
    tree.file(kStatus, "Name:\tx\nNSpid:\t4711\nSeccomp:\t0\n");
    expect("proc", Severity::ok, "of this pid namespace");
    tree.file(kStatus, "Name:\tx\nNSpid:\t4711\t7\n");
    expect("proc", Severity::warning, "of an outer pid namespace, in which this is process 4711",
           "unshare --pid --fork --mount-proc");
}

TEST_F(Checks, ProcMayNotShowThisProcess) {
    tree.file("/proc/version", "Linux version 6.18\n");
    expect("proc", Severity::problem, "of another pid namespace, without this process", "unshare --pid");
}

TEST_F(Checks, ProcMayBeMissing) {
    expect("proc", Severity::problem, "not mounted", "mount -t proc");
}

TEST_F(Checks, Capabilities) {
    tree.held(kAll);
    expect("capabilities", Severity::ok, "CAP_SYS_ADMIN");
    tree.held(Capabilities{1} << kCapSysAdmin).link("/proc/self/ns/user", "user:[4026532201]");
    expect("capabilities", Severity::ok, "CAP_SYS_ADMIN, inside a user namespace");
    tree.held(0);
    expect("capabilities", Severity::warning, "no CAP_SYS_ADMIN", "sudo nsbench");
    tree.held({});
    expect("capabilities", Severity::note, kUnknown);
}

TEST_F(Checks, UserNamespaces) {
    tree.held(0).file("/proc/sys/user/max_user_namespaces", "5000\n");
    expect("user_namespaces", Severity::ok, "allowed, up to 5000");
    tree.file("/proc/sys/kernel/unprivileged_userns_clone", "1\n");
    expect("user_namespaces", Severity::ok, "allowed, up to 5000");
    const std::string_view apparmor = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
    tree.file(apparmor, "1\n");
    expect("user_namespaces", Severity::warning, "kernel.apparmor_restrict_unprivileged_userns=1",
           "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0");
    tree.file("/proc/sys/kernel/unprivileged_userns_clone", "0\n");
    expect("user_namespaces", Severity::problem, "kernel.unprivileged_userns_clone=0",
           "sudo sysctl kernel.unprivileged_userns_clone=1");
    tree.held(kAll);
    expect("user_namespaces", Severity::note, "kernel.unprivileged_userns_clone=0");
    tree.file("/proc/sys/user/max_user_namespaces", "0\n");
    expect("user_namespaces", Severity::warning, "user.max_user_namespaces=0",
           "sudo sysctl user.max_user_namespaces=10000");
    tree.held(0);
    expect("user_namespaces", Severity::problem, "user.max_user_namespaces=0");
}

TEST_F(Checks, AChrootHasNoUserNamespaces) {
    tree.held(kAll).file("/proc/sys/user/max_user_namespaces", "5000\n");
    const std::string proc = "31 30 0:5 / /proc rw - proc proc rw\n";
    tree.file(kMountinfo, proc);
    expect("user_namespaces", Severity::warning, "/ is no mount: a chroot", "enter it by pivot_root");
    tree.held(0);
    expect("user_namespaces", Severity::problem, "/ is no mount: a chroot");
    tree.file(kMountinfo, "30 1 8:1 / / rw - ext4 /dev/vda rw\n" + proc);
    expect("user_namespaces", Severity::ok, "allowed, up to 5000");
}

TEST_F(Checks, Seccomp) {
    tree.file(kStatus, "Name:\tx\nSeccomp:\t0\n");
    expect("seccomp", Severity::ok, "no filter");
    tree.file(kStatus, "Seccomp:\t2\nSeccomp_filters:\t1\n");
    expect("seccomp", Severity::warning, "mode 2, filters: 1", "nothing to do here: ");
    tree.file(kStatus, "Name:\tx\n");
    expect("seccomp", Severity::note, kUnknown);
}

TEST_F(Checks, Confinement) {
    constexpr std::string_view kCurrent = "/proc/self/attr/current";
    tree.file(kStatus, "Name:\tx\n");
    expect("confinement", Severity::ok, "none");
    for (const std::string_view none :
         {"unconfined", "unconfined\n", "a (complain)\n", ":ns:a//b (complain)\n", ":ns:x:a (unconfined)\n",
          "u:r:unconfined_t:s0-s0:c0.c1023", "system_u:system_r:unconfined_service_t:s0",
          "system_u:system_r:spc_t:s0:c1,c2"}) {
        tree.file(kCurrent, none).file("/sys/fs/selinux/enforce", "1");
        expect("confinement", Severity::ok, "none");
    }
    tree.file(kCurrent, "docker-default (enforce)\n");
    expect("confinement", Severity::note, "AppArmor profile docker-default (enforce)", "start it unconfined");
    tree.file(kCurrent, ":ns:a (enforce)\n");
    expect("confinement", Severity::note, "AppArmor profile :ns:a (enforce)");
    tree.file(kCurrent, "a//&b (mixed)\n");
    expect("confinement", Severity::note, "AppArmor profile a//&b (mixed)");
    tree.file(kCurrent, std::string_view("system_u:system_r:container_t:s0\0", 33));
    expect("confinement", Severity::note, "SELinux context system_u:system_r:container_t:s0");
    tree.file("/sys/fs/selinux/enforce", "0");
    expect("confinement", Severity::ok, "none");
}

TEST_F(Checks, NamespaceLimits) {
    tree.file("/proc/sys/user/max_net_namespaces", "1000\n")
        .file("/proc/sys/user/max_mnt_namespaces", "96365\n");
    expect("namespace_limits", Severity::ok, "each at least 1000");
    tree.file("/proc/sys/user/max_net_namespaces", "20\n").file("/proc/sys/user/max_uts_namespaces", "0\n");
    expect("namespace_limits", Severity::warning, "user.max_net_namespaces=20 user.max_uts_namespaces=0",
           "sudo sysctl user.max_net_namespaces=10000 user.max_uts_namespaces=10000");
}

TEST_F(Checks, ProcessAndFileLimits) {
    const std::string_view limits = "/proc/self/limits";
    tree.file(limits,
              "Limit  Soft Limit  Hard Limit  Units\nMax processes  unlimited  unlimited  processes\n"
              "Max open files  1024  524288  files\n");
    expect("process_limit", Severity::ok, "unlimited");
    expect("open_files", Severity::ok, "1024");
    tree.file(limits, "Max processes  100  200  processes\nMax open files  64  64  files\n");
    expect("process_limit", Severity::warning, "100", "sudo prlimit --pid $$ --nproc=");
    expect("open_files", Severity::warning, "64", "sudo prlimit --pid $$ --nofile=");
    tree.held(kAll).link("/proc/self/ns/user", "user:[4026531837]");
    expect("process_limit", Severity::ok, "100, which CAP_SYS_ADMIN exceeds");
    tree.file(limits, "Max processes\nMax open files  many\n");
    expect("process_limit", Severity::note, kUnknown);
    expect("open_files", Severity::note, kUnknown);
}

TEST_F(Checks, PidMax) {
    tree.file("/proc/sys/kernel/pid_max", "4194304\n");
    expect("pid_max", Severity::ok, "4194304");
    tree.file("/proc/sys/kernel/pid_max", "1024\n");
    expect("pid_max", Severity::warning, "1024", "sudo sysctl kernel.pid_max=32768");
}

}  // namespace
}  // namespace nsb::env
