// Readings that need more than one file, or that the description and the checks share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "env/files.h"

namespace nsb::env {

/// One line of /proc/self/mountinfo; see proc_pid_mountinfo(5).
struct Mount {
    std::string id, parent;
    std::string root;   ///< the directory of the file system that is mounted
    std::string point;  ///< where, with white space as \040
    std::string type;
    bool shared = false;  ///< a mount below it appears in its whole peer group
    std::string options;  ///< of the file system, joined by commas; not those of this mount of it
};

/// The mounts that the text of such a file tells of, in its order; what is no line of a mount is left out.
std::vector<Mount> parse_mounts(std::string_view text);

/// This process's mounts; nothing where they cannot be read.
std::optional<std::vector<Mount>> mounts(const Root& root);

/// Whether the root is the kernel's first mount, an initramfs, which pivot_root(2) cannot leave: it is
/// mounted on itself. Not where another root is mounted over it, nor in a chroot.
std::optional<bool> root_is_initramfs(const Root& root = {});

/// What a security module confines this process to, such as "AppArmor profile docker-default (enforce)" or
/// "SELinux context system_u:system_r:container_t:s0". Empty where none does, or where
/// it only logs.
std::string security_module_of(const Root& root = {});

/// What the kernel says in /sys/devices/system/cpu/vulnerabilities, counted.
struct Vulnerabilities {
    int mitigated = 0;
    int vulnerable = 0;
    int not_affected = 0;
    int other = 0;  ///< in none of the kernel's usual words
};
std::optional<Vulnerabilities> vulnerabilities(const Root& root);

/// The last `name=value` of the kernel command line: the value, or an empty string where there is none.
std::optional<std::string> boot_option(const Root& root, std::string_view name);

/// What was asked for on the command line, and the vulnerabilities counted.
std::string mitigations(const Root& root);

/// How many CPUs are online.
std::optional<std::uint64_t> online_cpus(const Root& root);

/// The governors in use, joined by commas.
std::string governor(const Root& root);

/// Whether CPUs may run above their nominal frequency: `on` or `off`.
std::string turbo(const Root& root);

/// Whether a core runs several threads: `on` or `off`.
std::string smt(const Root& root);

/// The hypervisor's name, `hypervisor (unknown)` where only its presence shows, or `none`.
std::string virtualisation(const Root& root);

/// The container's kind, `none`, or `own pid namespace` where nothing names it.
std::string container(const Root& root);

/// Whether this process has a capability in effect, by its number in capabilities(7).
std::optional<bool> has_capability(const Root& root, unsigned capability);
inline constexpr unsigned kCapSysAdmin = 21, kCapSyslog = 34, kCapPerfmon = 38, kCapBpf = 39;

/// Which initial namespaces this process is in, told by their fixed inode numbers (enum init_ns_ino in
/// include/uapi/linux/nsfs.h; older kernels have the same numbers in include/linux/proc_ns.h).
std::optional<bool> in_initial_pid_namespace(const Root& root);
std::optional<bool> in_initial_user_namespace(const Root& root);

}  // namespace nsb::env
