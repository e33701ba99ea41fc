#include "env/environment.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "core/text.h"
#include "env/machine.h"
#include "env/rcu_worker.h"

namespace nsb::env {
namespace {

std::string or_unknown(std::optional<std::string> value) {
    return std::move(value).value_or(std::string(kUnknown));
}

std::string or_unknown(std::optional<std::uint64_t> value) {
    return value ? fmt::format("{}", *value) : std::string(kUnknown);
}

std::string line_of(const Root& root, std::string_view path) {
    return or_unknown(first_line(root, path));
}

std::string choice_of(const Root& root, std::string_view path) {
    return or_unknown(marked(first_line(root, path).value_or("")));
}

std::string architecture(const Root& root) {
    if (auto name = first_line(root, "/proc/sys/kernel/arch")) return *name;
    // The file is not on every kernel that is supported; uname(2) tells of this machine only.
    utsname names{};
    if (root.prefix.empty() && ::uname(&names) == 0) return names.machine;
    return std::string(kUnknown);
}

std::string cpu_model(const Root& root) {
    const std::string text = read_text(root, "/proc/cpuinfo").value_or("");
    for (const std::string_view key : {"model name", "Model Name", "cpu model", "cpu", "uarch"}) {
        if (const auto name = field(text, key)) return *name;
    }
    const auto implementer = field(text, "CPU implementer");
    const auto part = field(text, "CPU part");
    if (implementer && part) return fmt::format("implementer {} part {}", *implementer, *part);
    return std::string(kUnknown);
}

/// The flag that the build puts into the version (init/Makefile), and the mode chosen, where debugfs shows
/// it.
std::string preemption(const Root& root) {
    const auto version = first_line(root, "/proc/sys/kernel/version");
    if (!version) return std::string(kUnknown);
    const std::vector<std::string> flags = words(*version);
    const auto flag =
        std::find_if(flags.begin(), flags.end(), [](const auto& f) { return f.starts_with("PREEMPT"); });
    if (flag == flags.end()) return "none or voluntary";
    const auto mode = marked(first_line(root, "/sys/kernel/debug/sched/preempt").value_or(""), "()");
    if (mode) return fmt::format("{} ({})", *flag, *mode);
    return *flag == "PREEMPT_DYNAMIC" ? fmt::format("{} ({})", *flag, kUnknown) : *flag;
}

std::string cgroup_version(const Root& root) {
    const auto all = mounts(root);
    if (!all) return std::string(kUnknown);
    const auto has = [&](std::string_view type) {
        return std::any_of(all->begin(), all->end(), [&](const Mount& mount) { return mount.type == type; });
    };
    const bool v1 = has("cgroup");
    if (has("cgroup2")) return v1 ? "hybrid" : "v2";
    return v1 ? "v1" : "none mounted";
}

/// Whether the hierarchy of version 2 is mounted so that processes are moved without a wait for all forks
/// (kernel/cgroup/cgroup.c: CGRP_ROOT_FAVOR_DYNMODS). There is one such hierarchy: all its mounts show the
/// same.
std::string favours_dynmods(const Root& root) {
    constexpr std::string_view kOption = "favordynmods";
    const auto all = mounts(root);
    if (!all) return std::string(kUnknown);
    const auto at = std::ranges::find(*all, "cgroup2", &Mount::type);
    if (at == all->end()) return "none mounted";
    const auto has = [&](const std::vector<std::string>& list) {
        return std::ranges::find(list, kOption) != list.end();
    };
    if (has(split(at->options, ","))) return "yes";
    // The options that the kernel has.
    const auto features = read_text(root, "/sys/kernel/cgroup/features");
    if (!features) return std::string(kUnknown);
    return has(words(*features)) ? "no" : "no such option";
}

std::string mount_count(const Root& root) {
    const auto all = mounts(root);
    return all ? fmt::format("{}", all->size()) : std::string(kUnknown);
}

/// Each registers its own part of every net namespace, or may.
std::string loaded_modules(const Root& root) {
    const auto text = read_text(root, "/proc/modules");
    if (!text) return std::string(kUnknown);
    return fmt::format("{}", std::count(text->begin(), text->end(), '\n'));
}

/// The kernel's own options: what follows ` -- ` is for init, and may name what is nobody else's business.
std::string kernel_command_line(const Root& root) {
    const std::string line = line_of(root, "/proc/cmdline");
    return line.substr(0, line.find(" -- "));
}

std::string user_namespace(const Root& root) {
    const auto initial = in_initial_user_namespace(root);
    if (!initial) return std::string(kUnknown);
    return *initial ? "initial" : "nested";
}

struct FactSource {
    std::string_view key;
    std::string (*read)(const Root&);
};

constexpr auto kFactSources = std::to_array<FactSource>({
    {"kernel", [](const Root& root) { return line_of(root, "/proc/sys/kernel/osrelease"); }},
    {"kernel_version", [](const Root& root) { return line_of(root, "/proc/sys/kernel/version"); }},
    {"architecture", architecture},
    {"cpu_model", cpu_model},
    {"cpus", [](const Root& root) { return or_unknown(online_cpus(root)); }},
    {"memory",
     [](const Root& r) { return or_unknown(field(read_text(r, "/proc/meminfo").value_or(""), "MemTotal")); }},
    {"virtualisation", virtualisation},
    {"container", container},
    {"user_namespace", user_namespace},
    {"capabilities",
     [](const Root& root) { return root.held ? fmt::format("{:016x}", *root.held) : std::string(kUnknown); }},
    {"governor", governor},
    {"turbo", turbo},
    {"smt", smt},
    {"mitigations", mitigations},
    {"clocksource",
     [](const Root& root) {
         return line_of(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource");
     }},
    {"thp", [](const Root& root) { return choice_of(root, "/sys/kernel/mm/transparent_hugepage/enabled"); }},
    {"preemption", preemption},
    {"rcu_expedited", [](const Root& root) { return line_of(root, "/sys/kernel/rcu_expedited"); }},
    {"rcu_normal", [](const Root& root) { return line_of(root, "/sys/kernel/rcu_normal"); }},
    {"rcu_lazy",
     [](const Root& root) { return line_of(root, "/sys/module/rcutree/parameters/enable_rcu_lazy"); }},
    {"rcu_worker", rcu_worker_place},
    {"lockdown", [](const Root& root) { return choice_of(root, "/sys/kernel/security/lockdown"); }},
    {"lsms", [](const Root& root) { return line_of(root, "/sys/kernel/security/lsm"); }},
    {"cgroup", cgroup_version},
    {"cgroup_favordynmods", favours_dynmods},
    {"mounts", mount_count},
    {"loaded_modules", loaded_modules},
    {"kernel_command_line", kernel_command_line},
});

}  // namespace

std::vector<Fact> describe(const Root& root) {
    std::vector<Fact> facts;
    facts.reserve(kFactSources.size());
    for (const FactSource& source : kFactSources)
        facts.push_back({std::string(source.key), source.read(root)});
    return facts;
}

std::string find(const std::vector<Fact>& facts, std::string_view key) {
    const auto at =
        std::find_if(facts.begin(), facts.end(), [&](const Fact& fact) { return fact.key == key; });
    return at == facts.end() ? std::string(kUnknown) : at->value;
}

}  // namespace nsb::env
