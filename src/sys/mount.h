// Mounts, and file systems mounted nowhere.
#pragma once

#include "core/protocol.h"
#include "sys/fd.h"

namespace nsb::sys {

/// Cuts the propagation of every mount of this mount namespace: where `/` is shared, as systemd makes it, a
/// mount below would appear on the host as well.
Result<int> make_mounts_private();

/// Mounts proc at `path`, which shows the processes of the caller's pid namespace. EPERM in a user namespace
/// whose mounts cover a part of their own /proc.
Result<int> mount_proc(const char* path, const char* options = nullptr);

/// Mounts an empty tmpfs at `path`, in which device files work or do not.
enum class Devices : bool { no, yes };
Result<int> mount_tmpfs(const char* path, Devices devices);

/// A new mount of `filesystem` that no path leads to: it is seen through this descriptor only and goes with
/// it. `key` and `value` are an option of the file system, or null. Errors: those of fsopen(2), fsconfig(2),
/// fsmount(2).
tl::expected<Fd, protocol::Failure> mount_detached(const char* filesystem, const char* key = nullptr,
                                                   const char* value = nullptr);

/// Puts a detached mount at `path`.
Result<int> attach_mount(const Fd& mount, const char* path);

}  // namespace nsb::sys
