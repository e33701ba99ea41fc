#include "core/capabilities.h"

#include <fmt/format.h>
#include <linux/capability.h>

#include <array>
#include <charconv>
#include <utility>

#include "core/text.h"

namespace nsb {
namespace {

constexpr Capabilities only(unsigned number) {
    return Capabilities{1} << number;
}

/// In the order of their numbers in <linux/capability.h>.
constexpr std::string_view kNames =
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO "
    "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
    "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG "
    "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";

/// What a call needs for namespaces of a set. In a user namespace of its own a process has them all.
using Rule = Capabilities (*)(KindSet set);

Capabilities nothing(KindSet /*set*/) {
    return 0;
}

Capabilities admin(KindSet set) {
    return set.contains(Kind::user) ? 0 : only(CAP_SYS_ADMIN);
}

Capabilities net_admin(KindSet set) {
    return set.contains(Kind::user) ? 0 : only(CAP_NET_ADMIN);
}

Capabilities chroots(KindSet set) {
    return set.contains(Kind::user) ? 0 : only(CAP_SYS_CHROOT);
}

Capabilities enter(KindSet set) {
    // mntns_install() in fs/namespace.c
    const bool changes_root = set.contains(Kind::mnt) && !set.contains(Kind::user);
    return admin(set) | (changes_root ? only(CAP_SYS_CHROOT) : 0);
}

/// A map of the writer's own id alone takes no capability. From Linux 5.12 on a map of root's id takes
/// CAP_SETFCAP (verify_root_map() in kernel/user_namespace.c); where it is written from inside, whoever made
/// the namespace must have had it.
Capabilities map_root(KindSet /*set*/) {
    return only(CAP_SETFCAP);
}

/// Through a user namespace its own id is mapped before (enter_own_mounts() in bench/own_mounts.cpp).
Capabilities own_mounts(KindSet set) {
    return set.contains(Kind::user) ? map_root(set) : admin(set);
}

/// The root of cgroups of version 2 is dr-xr-xr-x.
Capabilities writes_to_closed(KindSet /*set*/) {
    return only(CAP_DAC_OVERRIDE);
}

/// More open files than the hard limit.
Capabilities raises_limit(KindSet /*set*/) {
    return only(CAP_SYS_RESOURCE);
}

Capabilities nets_and_files(KindSet set) {
    return admin(set) | raises_limit(set);
}

Capabilities changes_bounds(KindSet /*set*/) {
    return only(CAP_SETPCAP);
}

constexpr auto kRules = std::to_array<Rule>({
#define NSB_CALL(identifier, name, needs, about) needs,
#include "core/calls.def"
#undef NSB_CALL
});

using protocol::Call;

constexpr auto kCallsOfConditions = std::to_array<std::pair<Parameter, Call>>({
#define NSB_CONDITION(identifier, ...) {Parameter::identifier, Call::set_##identifier},
#include "core/conditions.def"
#undef NSB_CONDITION
});

/// By the calls of an operation: the words of operations.def.
Capabilities of_operation(const Case& c, MeasuredIn where) {
    using enum Call;
    // In the new namespaces, or together with them, where there are any.
    const auto inside = [&](auto... calls) {
        return c.set.empty() ? Capabilities{0} : (needed(calls, c.set) | ...);
    };
    // By who makes them, and has no more than before.
    const auto outside = [&](auto... calls) { return (needed(calls, c.set - Kind::user) | ...); };
    const auto when = [](bool is_so, Capabilities needs) { return is_so ? needs : 0; };
    const auto chooses = [&](Parameter parameter, auto... choices) {
        return ((c.value(parameter) == static_cast<std::uint64_t>(choices)) || ...);
    };
    const auto has = [&](Kind kind) { return c.set.contains(kind); };
    const bool pivots = chooses(Parameter::mntns, ContainerMntns::clone, ContainerMntns::unshare);
    const bool cannot_pivot = where.root_is_initramfs;
    // What a program of others needs is not known.
    constexpr Capabilities everything = kAllCapabilities;
    switch (c.operation) {
#define NSB_OPERATION(name, syscall, begins, calls, ...) \
    case Operation::name:                                \
        return calls;
#include "core/operations.def"
#undef NSB_OPERATION
    }
    return kAllCapabilities;
}

/// A block in a namespace of its own: the way there, and back (bench/own_namespaces.cpp).
Capabilities of_own(Kind kind, MeasuredIn where) {
    const Capabilities there = needed(Call::unshare, kind) | needed(Call::setns, kind);
    return there | (kind == Kind::mnt ? needed(Call::chroot, kind) : 0) |
           (where.in_userns ? needed(Call::write_uid_map, kind) : 0);
}

}  // namespace

std::optional<Capabilities> parse_capabilities(std::string_view hexadecimal) {
    Capabilities bits = 0;
    const char* const last = hexadecimal.data() + hexadecimal.size();
    const auto [end, error] = std::from_chars(hexadecimal.data(), last, bits, 16);
    if (error != std::errc{} || end != last) return std::nullopt;
    return bits;
}

std::vector<std::string> list_of(Capabilities capabilities) {
    const std::vector<std::string> known = split(kNames, " ");
    std::vector<std::string> names;
    for (unsigned number = 0; number < 64; ++number) {
        if ((capabilities & only(number)) == 0) continue;
        names.push_back(number < known.size() ? fmt::format("CAP_{}", known[number])
                                              : std::to_string(number));
    }
    return names;
}

std::string names_of(Capabilities capabilities) {
    const std::vector<std::string> names = list_of(capabilities);
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
        text += names[i];
    }
    return text;
}

Capabilities needed(protocol::Call call, KindSet set) {
    return kRules[static_cast<std::size_t>(call)](set);
}

Capabilities needed(std::string_view text, KindSet set) {
    // The longest name that fits: mount(tmpfs) before mount.
    std::size_t longest = 0;
    Capabilities found = 0;
    for (std::size_t i = 1; i < protocol::kCallNames.size(); ++i) {
        const std::string_view name = protocol::kCallNames[i];
        if (name.size() <= longest || !text.starts_with(name)) continue;
        longest = name.size();
        found = needed(static_cast<protocol::Call>(i), set);
    }
    return found;
}

Capabilities needed(const Case& c, MeasuredIn where) {
    Capabilities all = of_operation(c, where);
    if (c.has(Trait::in_own_mnt)) all |= of_own(Kind::mnt, where);
    if (c.has(Trait::in_own_net)) all |= of_own(Kind::net, where);
    for (const auto& [parameter, call] : kCallsOfConditions) {
        if (!c.has(parameter) || c.value(parameter) == 0) continue;
        all |= needed(call, where.in_userns ? KindSet(Kind::user) : KindSet{});
    }
    return all;
}

Capabilities always_needed() {
    return needed(Call::unshare, Kind::uts);
}

Capabilities over_files() {
    return only(CAP_CHOWN) | only(CAP_DAC_OVERRIDE) | only(CAP_DAC_READ_SEARCH) | only(CAP_FOWNER) |
           only(CAP_FSETID);
}

std::string why_not_permitted(Capabilities needed, std::optional<Capabilities> held) {
    const std::string_view else_forbids = "a security module, a setting or a seccomp filter forbids it";
    if (needed == 0) return std::string(else_forbids);
    if (!held) return fmt::format("needs {}, or a setting or seccomp filter forbids it", names_of(needed));
    const Capabilities lacking = needed & ~*held;
    if (lacking == 0) return std::string(else_forbids);
    return fmt::format("needs {}", names_of(lacking));
}

}  // namespace nsb
