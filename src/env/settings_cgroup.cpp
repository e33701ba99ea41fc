// The setting that keeps other processes away from the measuring CPU, by the version of cgroups that has
// cpusets.
#include <fmt/format.h>

#include <algorithm>

#include "env/machine.h"
#include "env/settings_table.h"
#include "env/thread.h"
#include "sys/file.h"

namespace nsb::env::detail {
namespace {

/// Where version 2 is mounted, if it has cpusets there.
std::optional<std::string> new_cpusets(const Root& root) {
    for (const Mount& mount : mounts(root).value_or(std::vector<Mount>{})) {
        if (mount.type != "cgroup2") continue;
        const auto controllers = words(first_line(root, mount.point + "/cgroup.controllers").value_or(""));
        if (std::ranges::count(controllers, "cpuset") > 0) return mount.point;
    }
    return std::nullopt;
}

/// This process's cgroup of version 2, "" for the root.
std::string own_cgroup(const Root& root) {
    const std::string text = read_text(root, "/proc/self/cgroup").value_or("");
    const std::size_t at = text.starts_with("0::") ? 0 : text.find("\n0::");
    if (at == std::string::npos) return "";
    const std::size_t begin = text.find("::", at) + 2;
    const std::string path = text.substr(begin, text.find('\n', begin) - begin);
    return path == "/" ? "" : path;
}

Change made(const std::string& folder, const std::string& home) {
    return {folder, Form::folder, "", {"made"}, home};
}

Change inside(const std::string& folder, std::string_view name, std::vector<std::string> wanted) {
    return {fmt::format("{}/{}", folder, name), Form::line, "", std::move(wanted), {}, true};
}

/// An isolated partition, which the command runs in: no other process may run on its CPU, and the scheduler
/// balances nothing to it. A kernel without (before 6.1) refuses it with EINVAL, and is left alone: one that
/// knows the partition `root` alone may take the kernel's workers off their CPUs for good, as 5.10 does.
std::vector<Change> partition(const Target& target, const std::string& point) {
    const std::string folder = fmt::format("{}/{}", point, kPreparedCgroup);
    // The kernel gives every thread of the root all CPUs that are left, and later all of them.
    std::vector<Change> all = own_affinities(target, online(target.root), {target.cpu});
    const std::string control = point + "/cgroup.subtree_control";
    const Change word{control, Form::word, "", {"cpuset"}};
    if (state_of(target.root, word).value_or("").empty()) all.push_back(word);
    all.push_back(made(folder, point + own_cgroup(target.root) + "/cgroup.procs"));
    all.push_back(inside(folder, "cpuset.cpus", {std::to_string(target.cpu)}));
    // Put back for itself: a folder's removal takes effect only later (css_killed_work_fn in kernel/cgroup).
    Change isolated = inside(folder, "cpuset.cpus.partition", {"isolated"});
    isolated.before = "member";
    all.push_back(std::move(isolated));
    return all;
}

/// Version 1 has no partitions: there the others are moved into a cpuset without the CPU, and the command
/// stays where it is. Threads with an affinity of their own are left: moving them would make it another one.
std::vector<Change> shield(const Target& target, const std::string& point, const CpuSet& others) {
    const std::string folder = fmt::format("{}/{}", point, kPreparedCgroup);
    const std::string home = point + "/tasks";
    const std::string memory = first_line(target.root, point + "/cpuset.mems").value_or("");
    Change tenants = inside(folder, "tasks", {"moved"});
    tenants.form = Form::tenants;
    tenants.home = home;
    return {made(folder, home), inside(folder, "cpuset.cpus", {to_text(others)}),
            inside(folder, "cpuset.mems", {memory}), tenants};
}

}  // namespace

Planned cpuset_changes(const Target& target) {
    const CpuSet others = without(online(target.root), core_of(target));
    if (others.empty())
        return tl::unexpected(sys::Refusal{"no other CPU", {}, 0, "there is none for the others"});
    const auto version_2 = new_cpusets(target.root);
    const auto point = version_2 ? version_2 : old_cpusets(target.root);
    if (!point) {
        return tl::unexpected(sys::Refusal{
            "no cpusets", {}, 0, "mount -t cgroup2 cgroup2 /sys/fs/cgroup, or boot with isolcpus"});
    }
    if (auto refusal = foreign_numbers()) return tl::unexpected(std::move(*refusal));
    std::vector<Change> all = version_2 ? partition(target, *point) : shield(target, *point, others);
    const std::string folder = fmt::format("{}/{}", *point, kPreparedCgroup);
    if (!state_of(target.root, made(folder, "")).value_or("").empty()) {
        return tl::unexpected(
            sys::Refusal{"mkdir", folder, EEXIST, "left by a run whose settings nobody put back: rmdir it"});
    }
    return all;
}

}  // namespace nsb::env::detail
