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

/// A copy of the mounts at `path`, detached.
Result<Fd> copy_tree(const char* path);

/// A mount namespace, to be entered by setns(2), whose root is a copy of the mounts at `path`, or at the
/// descriptor where `path` is empty. EINVAL before Linux 7.0.
Result<Fd> copy_tree_to_namespace(const char* path, int folder = AT_FDCWD);

/// A new tmpfs that is not mounted yet, for mount_new() and mount_as_namespace().
tl::expected<Fd, protocol::Failure> make_tmpfs();

/// Its detached mount, on which programs can run.
Result<Fd> mount_new(const Fd& filesystem);

/// A mount namespace, to be entered by setns(2), whose root it is. EINVAL before Linux 7.1.
Result<Fd> mount_as_namespace(const Fd& filesystem);

/// Makes the mount at `path` the root, and leaves the former one for good. Without a directory for the former
/// root: it ends up over the new one at /, and "." is what it is left by (pivot_root(2), "pivot_root(".",
/// ".")"). An initramfs cannot be left that way before Linux 7.0 (EINVAL); there, `may_move`, the new root is
/// moved over it.
protocol::Failure change_root(const char* path, bool may_move);

/// Puts a detached mount over this process's root and makes it the root: the one below is covered, not left.
protocol::Failure cover_root(const Fd& mount);

}  // namespace nsb::sys
