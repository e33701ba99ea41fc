// Checks of the kernel's settings and state, among them this process's mounts.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "env/checks_table.h"
#include "env/machine.h"
#include "env/rcu_worker.h"
#include "sys/proc.h"

namespace nsb::env::detail {
namespace {

constexpr std::size_t kManyMounts = 100;
constexpr std::string_view kNoMountinfo = "/proc/self/mountinfo cannot be read";

std::string set_to_0(std::string_view path) {
    return fmt::format("echo 0 | sudo tee {}", path);
}

/// Directories of proc that are empty for good, made to be mounted on: what is mounted there hides nothing
/// (mnt_already_visible() in fs/namespace.c; users of proc_create_mount_point() and
/// register_sysctl_mount_point()).
constexpr std::array<std::string_view, 4> kMountPointsOfProc{"/sys/fs/binfmt_misc", "/fs/nfsd", "/openprom",
                                                             "/xen"};

/// The mounts that hide a part of one mount of proc.
std::vector<std::string> hidden_parts(const Mount& proc, const std::vector<Mount>& all) {
    std::vector<std::string> points;
    for (const Mount& mount : all) {
        if (mount.parent != proc.id || !mount.point.starts_with(proc.point + "/")) continue;
        const std::string_view below = std::string_view(mount.point).substr(proc.point.size());
        if (std::find(kMountPointsOfProc.begin(), kMountPointsOfProc.end(), below) !=
            kMountPointsOfProc.end()) {
            continue;
        }
        points.push_back(mount.point);
    }
    return points;
}

}  // namespace

Finding cpu_mitigations(const Root& root) {
    const std::string observed = mitigations(root);
    const auto count = vulnerabilities(root);
    const std::string_view compare = "compare only with runs that have the same";
    if (!count) {
        return unseen("mitigations make each system call and context switch dearer", "the kernel lists none");
    }
    if (count->mitigated > 0) {
        return {"", Severity::note, observed, "mitigations make each system call and context switch dearer",
                no_remedy(compare)};
    }
    if (count->vulnerable > 0) {
        return {"", Severity::note, observed, "figures lack what mitigations cost elsewhere",
                no_remedy(compare)};
    }
    return fine(observed);
}

Finding transparent_huge_pages(const Root& root) {
    constexpr std::string_view kFile = "/sys/kernel/mm/transparent_hugepage/enabled";
    const std::string effect =
        "a stack of 2M or more may become huge pages or not, which changes what copying it costs";
    const auto mode = marked(first_line(root, kFile).value_or(""));
    if (!mode) return unseen(effect, "the kernel does not show its setting");
    if (*mode != "always") return fine(*mode);
    return {"", Severity::warning, *mode, effect, fmt::format("echo madvise | sudo tee {}", kFile)};
}

Finding mount_count(const Root& root) {
    const std::string effect =
        "NEWNS copies every mount and frees every copy: its figures grow with their number";
    const auto all = mounts(root);
    if (!all) return unseen(effect, kNoMountinfo);
    const std::string observed = fmt::format("{}", all->size());
    if (all->size() <= kManyMounts) return fine(observed);
    return {"", Severity::note, observed, effect, "findmnt --list  # then unmount what is not needed"};
}

Finding mount_propagation(const Root& root) {
    const std::string effect =
        "NEWNS adds each copy of a shared mount to its peer group, which makes it dearer";
    const auto all = mounts(root);
    if (!all) return unseen(effect, kNoMountinfo);
    // The last mount on / is the one that is seen.
    const auto top =
        std::find_if(all->rbegin(), all->rend(), [](const Mount& mount) { return mount.point == "/"; });
    if (top == all->rend()) return unseen(effect, "no mount on / is listed");
    if (!top->shared) return fine("/ is not shared");
    return {"", Severity::note, "/ is shared", effect, "sudo unshare --mount --propagation private nsbench"};
}

Finding proc(const Root& root) {
    const std::string effect = "numbers here are other processes' there: userns_map is not measured";
    const std::string remedy = "unshare --pid --fork --mount-proc nsbench";
    const auto own = sys::own_number((root.prefix + "/proc/self/status").c_str());
    if (!own && own.error() == ENOENT && read_text(root, "/proc/version")) {
        return {"", Severity::problem, "of another pid namespace, without this process",
                "nothing can be measured, and nothing be told by /proc/PID", remedy};
    }
    if (!own && own.error() == ENOENT) {
        return {"", Severity::problem, "not mounted", "nothing can be measured", "mount -t proc proc /proc"};
    }
    if (!own) return unseen(effect, "/proc/self/status has no NSpid");
    if (own->is_the_same) return fine("of this pid namespace");
    return {"", Severity::warning,
            fmt::format("of an outer pid namespace, in which this is process {}", own->in_proc), effect,
            remedy};
}

Finding proc_overmounts(const Root& root) {
    const std::string effect =
        "a proc mount inside a user namespace fails with EPERM: proc_remount is not measured there";
    const auto all = mounts(root);
    if (!all) return unseen(effect, kNoMountinfo);
    std::vector<std::string> hidden;
    bool found = false;
    for (const Mount& mount : *all) {
        if (mount.type != "proc" || mount.root != "/") continue;
        found = true;
        hidden = hidden_parts(mount, *all);
        if (hidden.empty()) return fine("none");  // one whole proc is enough for the kernel
    }
    if (!found) return unseen(effect, "no whole proc is mounted");
    const auto remedy =
        in_initial_pid_namespace(root).value_or(false)
            ? fmt::format("sudo umount {}", fmt::join(hidden, " "))
            : no_remedy(
                  "start the container with its /proc unmasked (docker: "
                  "--security-opt systempaths=unconfined; podman: --security-opt unmask=ALL)");
    return {"", Severity::warning, fmt::format("{}", fmt::join(hidden, " ")), effect, remedy};
}

Finding teardown_backlog(const Root& root) {
    const std::string effect = "NEWNET waits for locks that the teardown of earlier net namespaces holds";
    bool workers = false;
    for (const std::string& name : names_in(root, "/proc")) {
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const std::string comm = first_line(root, fmt::format("/proc/{}/comm", name)).value_or("");
        if (!comm.starts_with("kworker/")) continue;
        workers = true;
        // wq_worker_comm() in kernel/workqueue.c: +NAME while a worker executes an item of that workqueue.
        if (comm.find("+netns") == std::string::npos) continue;
        return {"", Severity::warning, fmt::format("{} is at work", comm), effect,
                "sleep 10; nsbench doctor"};
    }
    if (workers) return fine("no worker tears down net namespaces");
    Finding finding = unseen(effect, "the kernel's threads show only in the initial pid namespace");
    finding.observed = "cannot be seen here";
    return finding;
}

Finding rcu(const Root& root) {
    constexpr std::string_view kExpedited = "/sys/kernel/rcu_expedited";
    constexpr std::string_view kNormal = "/sys/kernel/rcu_normal";
    const auto expedited = number(root, kExpedited);
    const auto normal = number(root, kNormal);
    if (!expedited || !normal) {
        return unseen("grace periods are most of what teardown waits for",
                      "the kernel does not show its RCU settings");
    }
    const std::string observed = fmt::format("rcu_expedited={} rcu_normal={}", *expedited, *normal);
    if (*normal != 0) {
        return {"", Severity::warning, observed,
                "no grace period is expedited: leaving a mount or net namespace takes milliseconds more",
                set_to_0(kNormal)};
    }
    if (*expedited != 0) {
        return {
            "", Severity::warning, observed,
            "every grace period is expedited: teardown looks faster than by default, and interrupts all CPUs",
            set_to_0(kExpedited)};
    }
    return fine(observed);
}

Finding rcu_worker_cpu(const Root& root) {
    const std::string place = rcu_worker_place(root);
    constexpr std::string_view kEffect =
        "where it runs moves between runs: with it on another CPU than the measuring one, leaving a mount "
        "namespace takes about twice as long";
    if (place == kUnknown) return unseen(std::string(kEffect), "/proc does not show the kernel's threads");
    if (!place.starts_with("last on")) return fine(place);
    return {"", Severity::note, place, std::string(kEffect),
            "sudo nsbench doctor --prepare --leave=cpuset -- nsbench …"};
}

Finding lockdown(const Root& root) {
    const std::string effect =
        "confidentiality denies the probe kprobes, tracefs and kernel memory; times stay the same";
    const auto mode = marked(first_line(root, "/sys/kernel/security/lockdown").value_or(""));
    if (!mode) return unseen(effect, "securityfs is not mounted, or the kernel has no lockdown");
    if (*mode != "confidentiality") return fine(*mode);
    return {"", Severity::warning, *mode, effect,
            no_remedy("lockdown cannot be lowered while the kernel runs; boot with lockdown=none")};
}

Finding probe(const Root& root) {
    const std::string effect = "--probe cannot be had; times stay the same";
    const auto may = has_capability(root, kCapBpf);
    if (!may) return unseen(effect, "capget(2) is refused");
    const auto is_initial = in_initial_pid_namespace(root);
    if (!is_initial) return unseen(effect, "/proc does not show this process's pid namespace");
    if (!*is_initial) {
        return {"", Severity::note, "inside a pid namespace", effect,
                no_remedy("the kernel counts tasks from outside of all of them; start it there")};
    }
    if (names_in(root, "/sys/kernel").empty()) return unseen(effect, "sysfs is not mounted");
    if (std::ranges::count(names_in(root, "/sys/kernel/btf"), "vmlinux") == 0) {
        return {"", Severity::note, "the kernel has no BTF", effect,
                no_remedy("it is built in: CONFIG_DEBUG_INFO_BTF")};
    }
    std::vector<std::string_view> missing;
    for (const auto& [capability, name] :
         {std::pair{kCapBpf, "CAP_BPF"}, std::pair{kCapPerfmon, "CAP_PERFMON"},
          std::pair{kCapSyslog, "CAP_SYSLOG"}}) {
        if (!has_capability(root, capability).value_or(false)) missing.emplace_back(name);
    }
    if (missing.empty()) return fine("BTF, and the capabilities");
    return {"", Severity::note, fmt::format("no {}", fmt::join(missing, ", ")), effect, "sudo nsbench"};
}

}  // namespace nsb::env::detail
