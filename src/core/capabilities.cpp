#include "core/capabilities.h"

#include <fmt/format.h>
#include <linux/capability.h>

#include <array>
#include <charconv>
#include <vector>

namespace nsb {
namespace {

constexpr Capabilities only(unsigned number) {
    return Capabilities{1} << number;
}

struct CapabilityName {
    unsigned number;
    std::string_view name;
};
constexpr std::array<CapabilityName, 10> kNames{{{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
                                                 {CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
                                                 {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                                                 {CAP_SETUID, "CAP_SETUID"},
                                                 {CAP_SETGID, "CAP_SETGID"},
                                                 {CAP_SETFCAP, "CAP_SETFCAP"},
                                                 {CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"},
                                                 {CAP_BPF, "CAP_BPF"},
                                                 {CAP_PERFMON, "CAP_PERFMON"},
                                                 {CAP_SYSLOG, "CAP_SYSLOG"}}};

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

// Both are done from outside.
Capabilities map_uids(KindSet /*set*/) {
    // CAP_SETFCAP for a map of root's id (verify_root_map() in kernel/user_namespace.c, Linux 5.12).
    return only(CAP_SETUID) | only(CAP_SETFCAP);
}

Capabilities map_gids(KindSet /*set*/) {
    return only(CAP_SETGID);
}

constexpr auto kRules = std::to_array<Rule>({
#define NSB_CALL(identifier, name, needs, about) needs,
#include "core/calls.def"
#undef NSB_CALL
});

}  // namespace

std::optional<Capabilities> parse_capabilities(std::string_view hexadecimal) {
    Capabilities bits = 0;
    const char* const last = hexadecimal.data() + hexadecimal.size();
    const auto [end, error] = std::from_chars(hexadecimal.data(), last, bits, 16);
    if (error != std::errc{} || end != last) return std::nullopt;
    return bits;
}

std::string names_of(Capabilities capabilities) {
    std::vector<std::string_view> names;
    for (const CapabilityName& one : kNames) {
        if ((capabilities & only(one.number)) != 0) names.push_back(one.name);
    }
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

std::string why_not_permitted(Capabilities needed, std::optional<Capabilities> held) {
    const std::string_view else_forbids = "a security module, a setting or a seccomp filter forbids it";
    if (needed == 0) return std::string(else_forbids);
    if (!held) return fmt::format("needs {}, or a setting or seccomp filter forbids it", names_of(needed));
    const Capabilities lacking = needed & ~*held;
    if (lacking == 0) return std::string(else_forbids);
    return fmt::format("needs {}", names_of(lacking));
}

}  // namespace nsb
