// Settings of who runs on the measuring CPU: RCU's worker does; interrupts, and its sibling, do not.
#include <fmt/format.h>

#include "env/machine.h"
#include "env/rcu_worker.h"
#include "env/settings_table.h"
#include "env/thread.h"
#include "sys/file.h"

namespace nsb::env::detail {
namespace {

bool is_number(const std::string& name) {
    return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
}

bool overlaps(const CpuSet& one, const CpuSet& other) {
    return without(one, other).size() != one.size();
}

/// What the kernel may make of a thread's CPUs: its cpuset's, without those that it has lost or with them.
std::vector<std::string> made_of(const Root& root, const CpuSet& cpus, const CpuSet& lost) {
    const CpuSet all = online(root);
    const auto text = first_line(root, "/sys/devices/system/cpu/possible");
    const CpuSet possible = text ? parse_cpus(*text).value_or(all) : all;
    std::set<std::string> made;
    for (const CpuSet& one :
         {without(cpus, lost), without(all, lost), all, without(possible, lost), possible})
        if (!one.empty()) made.insert(to_text(one));
    return {made.begin(), made.end()};
}

/// The cpusets of version 1 below this one that have some of these CPUs: they lose them for good when a CPU
/// goes offline (cpuset_hotplug_update_tasks in kernel/cgroup).
void add_cpusets(const Target& target, const std::string& folder, const CpuSet& lost,
                 std::vector<Change>& all) {
    for (const std::string& name : names_in(target.root, folder)) {
        const std::string below = fmt::format("{}/{}", folder, name);
        const std::string path = below + "/cpuset.cpus";
        const auto now = first_line(target.root, path);
        const auto cpus = now ? parse_cpus(*now) : std::nullopt;
        if (!cpus) continue;
        const std::string rest = to_text(without(*cpus, lost));
        // A child's are some of its parent's, which are put back first: in the reverse order.
        add_cpusets(target, below, lost, all);
        if (rest != *now) all.push_back({path, Form::line, *now, {rest}, {}, false, true});
    }
}

/// An interrupt, and the CPUs that it may be taken on.
struct Interrupt {
    std::string path;
    std::string text;
    CpuSet cpus;
};

constexpr std::string_view kInterrupts = "/proc/irq";

std::vector<Interrupt> interrupts(const Root& root) {
    std::vector<Interrupt> all;
    for (const std::string& name : names_in(root, kInterrupts)) {
        const std::string path = fmt::format("{}/{}/smp_affinity_list", kInterrupts, name);
        const auto now = is_number(name) ? first_line(root, path) : std::nullopt;
        if (const auto cpus = now ? parse_cpus(*now) : std::nullopt) all.push_back({path, *now, *cpus});
    }
    return all;
}

}  // namespace

CpuSet online(const Root& root) {
    return parse_cpus(first_line(root, kOnline).value_or("")).value_or(CpuSet{});
}

CpuSet core_of(const Target& target) {
    const auto siblings = first_line(
        target.root, fmt::format("/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", target.cpu));
    CpuSet core = parse_cpus(siblings.value_or("")).value_or(CpuSet{});
    core.insert(target.cpu);
    return core;
}

std::vector<Change> own_affinities(const Target& target, const CpuSet& touched, const CpuSet& lost) {
    const CpuSet all = online(target.root);
    std::vector<Change> kept;
    for (const std::string& process : names_in(target.root, "/proc")) {
        if (!is_number(process)) continue;
        const std::string folder = fmt::format("/proc/{}/task", process);
        for (const std::string& name : names_in(target.root, folder)) {
            const std::string thread = fmt::format("{}/{}", folder, name);
            // First: whoever has the number by the time its CPUs are read started later, and is left alone.
            const auto started = start_of(target.root, thread);
            const auto text = affinity_of(target.root, thread);
            const auto cpus = text ? parse_cpus(*text) : std::nullopt;
            if (!started || !cpus || without(all, *cpus).empty() || !overlaps(*cpus, touched)) continue;
            if (is_of_kernel(target.root, thread)) continue;
            kept.push_back({thread,
                            Form::affinity,
                            *text,
                            made_of(target.root, *cpus, lost),
                            {},
                            false,
                            true,
                            *started});
        }
    }
    return kept;
}

std::optional<std::string> old_cpusets(const Root& root) {
    for (const Mount& mount : mounts(root).value_or(std::vector<Mount>{})) {
        if (mount.type == "cgroup" && mount.root == "/" &&
            number(root, mount.point + "/cpuset.sched_load_balance"))
            return mount.point;
    }
    return std::nullopt;
}

Planned rcu_worker_changes(const Target& target) {
    const auto worker = rcu_worker(target.root);
    if (!worker) {
        return tl::unexpected(
            sys::Refusal{"no thread of RCU's",
                         {},
                         0,
                         "the kernel has none for expedited grace periods, or /proc does not show it"});
    }
    if (worker->allowed == std::to_string(target.cpu)) return {};
    if (auto refusal = foreign_numbers()) return tl::unexpected(std::move(*refusal));
    const std::string wanted = std::to_string(target.cpu);
    Change pinned{worker->folder, Form::affinity, worker->allowed, {wanted}};
    pinned.started = worker->started;
    // What a cpuset that takes the CPU makes of it, and its end.
    Change moved = pinned;
    moved.wanted = made_of(target.root, {target.cpu}, {target.cpu});
    moved.is_consequence = true;
    return std::vector<Change>{std::move(moved), std::move(pinned)};
}

Planned irq_changes(const Target& target) {
    const CpuSet core = core_of(target);
    const CpuSet others = without(online(target.root), core);
    if (names_in(target.root, kInterrupts).empty())
        return tl::unexpected(sys::Refusal{"opendir", std::string(kInterrupts), ENOENT});
    if (others.empty())
        return tl::unexpected(sys::Refusal{"no other CPU", {}, 0, "there is none to move interrupts to"});
    std::vector<Change> all;
    for (const auto& [path, now, cpus] : interrupts(target.root)) {
        if (!overlaps(cpus, core)) continue;
        const CpuSet rest = without(cpus, core);
        all.push_back({path, Form::line, now, {to_text(rest.empty() ? others : rest)}});
    }
    return all;
}

Planned smt_changes(const Target& target) {
    const CpuSet siblings = without(core_of(target), {target.cpu});
    if (siblings.empty()) return {};
    if (auto refusal = foreign_numbers()) return tl::unexpected(std::move(*refusal));
    std::vector<Change> all;
    if (const auto point = old_cpusets(target.root)) add_cpusets(target, *point, siblings, all);
    const std::vector<Change> kept = own_affinities(target, siblings, siblings);
    all.insert(all.end(), kept.begin(), kept.end());
    // Without any of its CPUs an interrupt gets all that are online, for good (kernel/irq/cpuhotplug.c).
    for (const auto& [path, now, cpus] : interrupts(target.root)) {
        if (overlaps(cpus, siblings) && without(cpus, siblings).empty())
            all.push_back({path, Form::line, now, made_of(target.root, cpus, siblings), {}, false, true});
    }
    for (const int sibling : siblings) {
        const std::string path = fmt::format("/sys/devices/system/cpu/cpu{}/online", sibling);
        const auto now = sys::read_file(target.root.prefix + path);
        if (!now) return tl::unexpected(sys::Refusal{"open", path, now.error()});
        if (first_line(target.root, path) == "1") all.push_back({path, Form::line, "1", {"0"}});
    }
    return all;
}

}  // namespace nsb::env::detail
