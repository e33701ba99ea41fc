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

struct Name {
    unsigned number;
    std::string_view name;
};
constexpr std::array<Name, 10> kNames{{{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
                                       {CAP_SYS_CHROOT, "CAP_SYS_CHROOT"},
                                       {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                                       {CAP_SETUID, "CAP_SETUID"},
                                       {CAP_SETGID, "CAP_SETGID"},
                                       {CAP_SETFCAP, "CAP_SETFCAP"},
                                       {CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE"},
                                       {CAP_BPF, "CAP_BPF"},
                                       {CAP_PERFMON, "CAP_PERFMON"},
                                       {CAP_SYSLOG, "CAP_SYSLOG"}}};

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
    for (const Name& one : kNames) {
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
    using protocol::Call;
    switch (call) {
        case Call::write_uid_map:
            // CAP_SETFCAP for a map of root's id (verify_root_map() in kernel/user_namespace.c, Linux 5.12).
            return only(CAP_SETUID) | only(CAP_SETFCAP);
        case Call::write_gid_map:
            return only(CAP_SETGID);
        default:
            break;
    }
    if (set.contains(Kind::user)) return 0;
    switch (call) {
        case Call::setns:
            // mntns_install() in fs/namespace.c
            return only(CAP_SYS_ADMIN) | (set.contains(Kind::mnt) ? only(CAP_SYS_CHROOT) : 0);
        case Call::lo_up:
            return only(CAP_NET_ADMIN);
        case Call::clone:
        case Call::clone3:
        case Call::unshare:
        case Call::mount_private:
        case Call::mount:
        case Call::umount:
        case Call::fsopen:
        case Call::fsconfig:
        case Call::fsmount:
        case Call::move_mount:
        case Call::sethostname:
        case Call::mount_tmpfs:
        case Call::pivot_root:
            return only(CAP_SYS_ADMIN);
        default:
            return 0;
    }
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
