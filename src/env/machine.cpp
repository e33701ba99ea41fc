#include "env/machine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>

#include "core/text.h"

namespace nsb::env {
namespace {

struct KnownName {
    std::string_view part;  ///< in lower case
    std::string_view name;
};

/// What firmware calls itself in a virtual machine. Names that physical machines of the same vendor have as
/// well (Amazon EC2, Google, Microsoft) count only once the CPU says that there is a hypervisor.
constexpr std::array<KnownName, 11> kFirmware{{
    {"kvm", "kvm"},
    {"qemu", "qemu"},
    {"vmware", "vmware"},
    {"virtualbox", "virtualbox"},
    {"innotek", "virtualbox"},
    {"xen", "xen"},
    {"bochs", "bochs"},
    {"parallels", "parallels"},
    {"bhyve", "bhyve"},
    {"openstack", "kvm"},
    {"apple virtualization", "apple"},
}};
constexpr std::array<KnownName, 4> kFirmwareUnderHypervisor{{
    {"amazon ec2", "amazon"},
    {"google", "google"},
    {"microsoft", "microsoft"},
    {"alibaba", "alibaba"},
}};
/// Clocks that a hypervisor offers to its guests and nobody else has.
constexpr std::array<KnownName, 3> kGuestClocks{{
    {"kvm-clock", "kvm"},
    {"hyperv_clocksource", "microsoft"},
    {"xen", "xen"},
}};

/// Types of SELinux's usual policies that may do what they like: users, services without a type of their own,
/// and privileged containers.
constexpr std::array<std::string_view, 3> kUnconfinedTypes{"unconfined_t", "unconfined_service_t", "spc_t"};

std::string_view named_in(std::string_view text, std::span<const KnownName> names) {
    const std::string lower = to_lower(text);
    for (const KnownName& name : names) {
        if (lower.find(name.part) != std::string::npos) return name.name;
    }
    return {};
}

std::optional<bool> is_namespace(const Root& root, std::string_view link, std::string_view initial) {
    const auto target = link_target(root, link);
    if (!target) return std::nullopt;
    return *target == initial;
}

std::string on_or_off(std::optional<std::uint64_t> value, std::uint64_t on) {
    if (!value) return std::string(kUnknown);
    return *value == on ? "on" : "off";
}

/// What names the container: its manager's variable, as PID 1 has it or systemd keeps it, or a file it
/// leaves.
std::string container_name(const Root& root) {
    constexpr std::string_view kVariable = "container=";
    const std::string environment = read_text(root, "/proc/1/environ").value_or("");
    for (const std::string& variable : split(environment, std::string_view("\0", 1))) {
        if (variable.starts_with(kVariable)) return variable.substr(kVariable.size());
    }
    if (const auto name = first_line(root, "/run/systemd/container"); name && !name->empty()) return *name;
    if (read_text(root, "/run/.containerenv")) return "podman";
    if (read_text(root, "/.dockerenv")) return "docker";
    return {};
}

}  // namespace

std::vector<Mount> parse_mounts(std::string_view text) {
    std::vector<Mount> all;
    for (const std::string& line : split(text, "\n")) {
        const std::vector<std::string> part = words(line);
        // id parent device root point options [optional fields…] - type source super-options
        const auto dash = std::find(part.begin(), part.end(), "-");
        if (part.size() < 9 || dash - part.begin() < 6 || part.end() - dash < 2) continue;
        const bool shared =
            std::any_of(part.begin() + 6, dash, [](const auto& f) { return f.starts_with("shared:"); });
        all.push_back({part[0], part[1], part[3], part[4], *(dash + 1), shared,
                       part.end() - dash > 3 ? *(dash + 3) : ""});
    }
    return all;
}

std::optional<std::vector<Mount>> mounts(const Root& root) {
    const auto text = read_text(root, "/proc/self/mountinfo");
    if (!text) return std::nullopt;
    return parse_mounts(*text);
}

std::optional<bool> root_is_initramfs(const Root& root) {
    const auto all = mounts(root);
    if (!all) return std::nullopt;
    // The last mount on / is the one that is seen.
    const auto top =
        std::find_if(all->rbegin(), all->rend(), [](const Mount& mount) { return mount.point == "/"; });
    return top != all->rend() && top->id == top->parent;
}

std::string security_module_of(const Root& root) {
    std::string current = first_line(root, "/proc/self/attr/current").value_or("");
    std::erase(current, '\0');  // with which SELinux's ends
    // aa_getprocattr() in security/apparmor/procattr.c: `unconfined`, or a name, which may have colons, and a
    // mode. A context of SELinux's has no blank.
    if (const std::size_t mode = current.rfind(" ("); mode != std::string::npos && current.ends_with(")")) {
        const std::string_view name = std::string_view(current).substr(mode);
        if (name == " (complain)" || name == " (unconfined)") return "";
        return fmt::format("AppArmor profile {}", current);
    }
    const std::vector<std::string> parts = split(current, ":");
    const bool is_enforced = first_line(root, "/sys/fs/selinux/enforce").value_or("1") != "0";
    if (parts.size() < 3 || !is_enforced ||
        std::ranges::find(kUnconfinedTypes, parts[2]) != kUnconfinedTypes.end())
        return "";
    return fmt::format("SELinux context {}", current);
}

std::optional<Vulnerabilities> vulnerabilities(const Root& root) {
    constexpr std::string_view kDirectory = "/sys/devices/system/cpu/vulnerabilities";
    const std::vector<std::string> names = names_in(root, kDirectory);
    if (names.empty()) return std::nullopt;
    Vulnerabilities count;
    for (const std::string& name : names) {
        const std::string state = first_line(root, fmt::format("{}/{}", kDirectory, name)).value_or("");
        // Not only at the beginning: `KVM: Mitigation: VMX disabled`.
        if (state.find("Mitigation:") != std::string::npos) {
            ++count.mitigated;
        } else if (state.find("Vulnerable") != std::string::npos) {
            ++count.vulnerable;
        } else if (state.find("Not affected") != std::string::npos) {
            ++count.not_affected;
        } else {
            ++count.other;
        }
    }
    return count;
}

std::optional<std::string> boot_option(const Root& root, std::string_view name) {
    const auto line = first_line(root, "/proc/cmdline");
    if (!line) return std::nullopt;
    const std::string prefix = fmt::format("{}=", name);
    std::string value;
    for (const std::string& word : words(*line)) {
        if (word == "--") break;  // what follows is for init
        if (word.starts_with(prefix)) value = word.substr(prefix.size());
    }
    return value;
}

std::string mitigations(const Root& root) {
    const auto option = boot_option(root, "mitigations");
    const auto count = vulnerabilities(root);
    if (!option && !count) return std::string(kUnknown);
    const std::string asked = !option           ? std::string(kUnknown)
                              : option->empty() ? std::string("default")
                                                : "mitigations=" + *option;
    if (!count) return fmt::format("{}; vulnerabilities unknown", asked);
    return fmt::format("{}; {} mitigated, {} vulnerable, {} not affected{}", asked, count->mitigated,
                       count->vulnerable, count->not_affected,
                       count->other == 0 ? "" : fmt::format(", {} other", count->other));
}

std::optional<std::uint64_t> online_cpus(const Root& root) {
    const auto list = first_line(root, "/sys/devices/system/cpu/online");
    if (!list) return std::nullopt;
    std::uint64_t count = 0;
    for (const std::string& range : split(*list, ",")) {
        const std::vector<std::string> ends = split(range, "-");
        const auto first = parse_count(ends.front(), 0, UINT32_MAX);
        const auto last = parse_count(ends.back(), 0, UINT32_MAX);
        if (!first || !last || *last < *first) return std::nullopt;
        count += *last - *first + 1;
    }
    return count;
}

std::string governor(const Root& root) {
    constexpr std::string_view kDirectory = "/sys/devices/system/cpu/cpufreq";
    std::vector<std::string> governors;
    for (const std::string& policy : names_in(root, kDirectory)) {
        const auto name = first_line(root, fmt::format("{}/{}/scaling_governor", kDirectory, policy));
        if (name && std::find(governors.begin(), governors.end(), *name) == governors.end()) {
            governors.push_back(*name);
        }
    }
    if (governors.empty()) return std::string(kUnknown);
    return fmt::format("{}", fmt::join(governors, ","));
}

std::string turbo(const Root& root) {
    if (const auto off = number(root, "/sys/devices/system/cpu/intel_pstate/no_turbo"))
        return on_or_off(off, 0);
    return on_or_off(number(root, "/sys/devices/system/cpu/cpufreq/boost"), 1);
}

std::string smt(const Root& root) {
    return on_or_off(number(root, "/sys/devices/system/cpu/smt/active"), 1);
}

std::string virtualisation(const Root& root) {
    if (const auto type = first_line(root, "/sys/hypervisor/type"); type && !type->empty()) return *type;

    const auto flags = field(read_text(root, "/proc/cpuinfo").value_or(""), "flags");
    const bool told = flags.has_value();  // only x86 has the flag: without the line, its absence says nothing
    const std::vector<std::string> flag = words(flags.value_or(""));
    const bool guest = std::find(flag.begin(), flag.end(), "hypervisor") != flag.end();
    if (told && !guest) return "none";

    const std::string firmware = first_line(root, "/sys/class/dmi/id/product_name").value_or("") + " " +
                                 first_line(root, "/sys/class/dmi/id/sys_vendor").value_or("");
    if (const auto name = named_in(firmware, kFirmware); !name.empty()) return std::string(name);
    const auto clocks =
        first_line(root, "/sys/devices/system/clocksource/clocksource0/available_clocksource");
    if (const auto name = named_in(clocks.value_or(""), kGuestClocks); !name.empty())
        return std::string(name);
    if (!guest) return std::string(kUnknown);
    if (const auto name = named_in(firmware, kFirmwareUnderHypervisor); !name.empty())
        return std::string(name);
    return "hypervisor (unknown)";
}

std::string container(const Root& root) {
    const std::string name = container_name(root);
    const auto initial = in_initial_pid_namespace(root);
    if (!initial) return name.empty() ? std::string(kUnknown) : name;
    if (!*initial) return name.empty() ? "own pid namespace" : name;
    // An image's file can be on a machine that no container runtime started.
    return name.empty() ? "none" : fmt::format("none, though marked as {}: initial pid namespace", name);
}

std::optional<bool> has_capability(const Root& root, unsigned capability) {
    if (!root.held) return std::nullopt;
    return ((*root.held >> capability) & 1U) != 0;
}

std::optional<bool> in_initial_pid_namespace(const Root& root) {
    return is_namespace(root, "/proc/self/ns/pid", "pid:[4026531836]");
}

std::optional<bool> in_initial_user_namespace(const Root& root) {
    return is_namespace(root, "/proc/self/ns/user", "user:[4026531837]");
}

}  // namespace nsb::env
