// Checks of what this process may do, and of how much.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "core/kinds.h"
#include "core/text.h"
#include "env/checks_table.h"
#include "env/machine.h"

namespace nsb::env::detail {
namespace {

constexpr std::uint64_t kFewNamespaces = 1000;
constexpr std::uint64_t kFewProcesses = 1000;
constexpr std::uint64_t kFewFiles = 1024;
constexpr std::uint64_t kFewPids = 32768;  // what the kernel gives to the smallest machine

std::string sysctl_path(std::string_view name) {
    std::string path = fmt::format("/proc/sys/{}", name);
    for (char& c : path) c = c == '.' ? '/' : c;
    return path;
}

bool privileged(const Root& root) {
    return has_capability(root, kCapSysAdmin).value_or(false);
}

/// The soft limit of a row of /proc/self/limits; UINT64_MAX is unlimited.
std::optional<std::uint64_t> soft_limit(const Root& root, std::string_view row) {
    const auto text = read_text(root, "/proc/self/limits");
    if (!text) return std::nullopt;
    for (const std::string& line : split(*text, "\n")) {
        if (!line.starts_with(row)) continue;
        const std::vector<std::string> columns = words(std::string_view(line).substr(row.size()));
        if (columns.empty()) return std::nullopt;
        if (columns[0] == "unlimited") return UINT64_MAX;
        const auto value = parse_count(columns[0], 0, UINT64_MAX);
        if (value) return *value;
    }
    return std::nullopt;
}

std::string limit_text(std::uint64_t limit) {
    return limit == UINT64_MAX ? "unlimited" : fmt::format("{}", limit);
}

/// A switch that decides whether an unprivileged process gets a user namespace.
struct Switch {
    std::string_view sysctl;
    std::uint64_t allows;
    std::string_view effect;  ///< without privilege
    Severity severity;        ///< without privilege
};
constexpr std::array<Switch, 2> kSwitches{{
    {"kernel.unprivileged_userns_clone", 1,
     "user namespaces are refused without privilege: nothing can be measured", Severity::problem},
    {"kernel.apparmor_restrict_unprivileged_userns", 0,
     "a user namespace may come without capabilities: what is made inside it fails with EPERM",
     Severity::warning},
}};

/// Whether / is no mount of this process's, as in a chroot into a folder; no where mounts cannot be read.
bool root_is_a_folder(const Root& root) {
    const auto all = mounts(root);
    return all && !all->empty() &&
           std::ranges::none_of(*all, [](const Mount& one) { return one.point == "/"; });
}

}  // namespace

Finding capabilities(const Root& root) {
    const auto admin = has_capability(root, kCapSysAdmin);
    const std::string effect = "measures through a user namespace, which is part of each set then";
    if (!admin) return unseen(effect, "capget(2) is refused");
    if (*admin) {
        const bool nested = !in_initial_user_namespace(root).value_or(true);
        return fine(nested ? "CAP_SYS_ADMIN, inside a user namespace" : "CAP_SYS_ADMIN");
    }
    return {"", Severity::warning, "no CAP_SYS_ADMIN", effect, "sudo nsbench"};
}

Finding user_namespaces(const Root& root) {
    constexpr std::string_view kMaximum = "user.max_user_namespaces";
    const bool root_like = privileged(root);
    if (root_is_a_folder(root)) {
        // current_chrooted() in fs/namespace.c, asked by create_user_ns()
        return {"", root_like ? Severity::warning : Severity::problem, "/ is no mount: a chroot",
                "sets with NEWUSER, and mounts that a mount namespace has to itself, are refused with EPERM "
                "and EINVAL",
                "enter it by pivot_root, as bwrap --bind DIR / and unshare -m do, instead of chroot"};
    }
    const auto maximum = number(root, sysctl_path(kMaximum));
    if (maximum && *maximum == 0) {
        return {"", root_like ? Severity::warning : Severity::problem, fmt::format("{}=0", kMaximum),
                root_like
                    ? "every set with NEWUSER fails with ENOSPC"
                    : "user namespaces are refused with ENOSPC: nothing can be measured without privilege",
                fmt::format("sudo sysctl {}=10000", kMaximum)};
    }
    for (const Switch& row : kSwitches) {
        // Not every kernel has it; without it, nothing is forbidden by it.
        const auto value = number(root, sysctl_path(row.sysctl));
        if (!value || *value == row.allows) continue;
        const std::string observed = fmt::format("{}={}", row.sysctl, *value);
        const std::string remedy = fmt::format("sudo sysctl {}={}", row.sysctl, row.allows);
        if (!root_like) return {"", row.severity, observed, std::string(row.effect), remedy};
        return {"", Severity::note, observed,
                "none on this privileged run; others cannot repeat it without privilege", remedy};
    }
    if (!maximum)
        return unseen("sets with NEWUSER may fail with ENOSPC", "the kernel does not show the limit");
    return fine(fmt::format("allowed, up to {}", *maximum));
}

Finding seccomp(const Root& root) {
    const auto status = read_text(root, "/proc/self/status");
    const std::string effect =
        "a filter may refuse clone3, unshare, setns and mount, and makes every call dearer";
    if (!status) return unseen(effect, "/proc/self/status cannot be read");
    const auto mode = field(*status, "Seccomp");
    if (!mode) return unseen(effect, "the kernel does not say whether there is a filter");
    if (*mode == "0") return fine("no filter");
    const auto filters = field(*status, "Seccomp_filters");
    return {"", Severity::warning,
            fmt::format("mode {}, filters: {}", *mode, filters.value_or(std::string(kUnknown))), effect,
            no_remedy(
                "a filter stays for good; start outside of it (docker: --security-opt seccomp=unconfined)")};
}

Finding confinement(const Root& root) {
    const std::string effect = "what it does not allow fails with EACCES or EPERM, also for root";
    if (names_in(root, "/proc/self").empty()) return unseen(effect, "/proc does not show this process");
    const std::string under = security_module_of(root);
    if (under.empty()) return fine("none");
    return {"", Severity::note, under, effect,
            "start it unconfined (aa-exec -p unconfined, runcon), or allow there what dmesg says was denied"};
}

Finding namespace_limits(const Root& root) {
    const std::string effect = "cases end early with ENOSPC once as many are alive or still being torn down";
    std::vector<std::string> low;
    std::vector<std::string> raise;
    bool seen = false;
    for (const KindInfo& kind : kKinds) {
        const std::string name = fmt::format("user.max_{}_namespaces", kind.name);
        const auto limit = number(root, sysctl_path(name));
        seen = seen || limit.has_value();
        if (!limit || *limit >= kFewNamespaces) continue;
        low.push_back(fmt::format("{}={}", name, *limit));
        raise.push_back(fmt::format("{}=10000", name));
    }
    if (!seen) return unseen(effect, "the kernel does not show the limits");
    if (low.empty()) return fine(fmt::format("each at least {}", kFewNamespaces));
    return {"", Severity::warning, fmt::format("{}", fmt::join(low, " ")), effect,
            fmt::format("sudo sysctl {}", fmt::join(raise, " "))};
}

Finding process_limit(const Root& root) {
    const std::string effect = "clone fails with EAGAIN where the user's other processes leave no room";
    const auto limit = soft_limit(root, "Max processes");
    if (!limit) return unseen(effect, "/proc/self/limits cannot be read");
    const std::string observed = limit_text(*limit);
    if (*limit >= kFewProcesses) return fine(observed);
    // copy_process() in kernel/fork.c exempts CAP_SYS_ADMIN, if it is held in the initial user namespace.
    if (privileged(root) && in_initial_user_namespace(root).value_or(false))
        return fine(fmt::format("{}, which CAP_SYS_ADMIN exceeds", observed));
    return {"", Severity::warning, observed, effect, "sudo prlimit --pid $$ --nproc=10000"};
}

Finding pid_max(const Root& root) {
    const std::string effect =
        "PIDs run out or wrap around within a run: clone searches longer, or fails with EAGAIN";
    const auto limit = number(root, "/proc/sys/kernel/pid_max");
    if (!limit) return unseen(effect, "/proc/sys/kernel/pid_max cannot be read");
    const std::string observed = fmt::format("{}", *limit);
    if (*limit >= kFewPids) return fine(observed);
    return {"", Severity::warning, observed, effect, fmt::format("sudo sysctl kernel.pid_max={}", kFewPids)};
}

Finding open_files(const Root& root) {
    const std::string effect = "namespaces held open by file descriptors fail with EMFILE";
    const auto limit = soft_limit(root, "Max open files");
    if (!limit) return unseen(effect, "/proc/self/limits cannot be read");
    const std::string observed = limit_text(*limit);
    if (*limit >= kFewFiles) return fine(observed);
    return {"", Severity::warning, observed, effect, "sudo prlimit --pid $$ --nofile=4096"};
}

}  // namespace nsb::env::detail
