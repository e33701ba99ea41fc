// Control groups of version 2, and how those of either version are removed.
#pragma once

#include "core/protocol.h"
#include "sys/fd.h"

namespace nsb::sys {

/// The root of the hierarchy of version 2, as a folder: where it is mounted and can be written to, or else a
/// mount of its own that no path leads to. Not always the latter: in the initial cgroup namespace a mount
/// sets the options of the whole hierarchy (nsdelegate, favordynmods, …) to its own (cgroup_get_tree() in
/// kernel/cgroup/cgroup.c). Errors: those of mount_detached().
tl::expected<Fd, protocol::Failure> open_cgroup2();

/// The cgroup of version 2 that the caller is in, where it can be reached and is not mounted read-only.
Result<Fd> open_own_cgroup();

/// Makes a cgroup of that name in the root, or, where that is not permitted, in the caller's own, by which
/// systemd's Delegate=yes gives it cgroups of its own. The folder that it is in.
/// Errors: those of open_cgroup2(), or of mkdir(2).
tl::expected<Fd, protocol::Failure> make_cgroup(const char* name);

/// Removes what make_cgroup() has made in either place, if it is still there.
void remove_cgroup(const char* name);

/// Removes cgroups, for all of which it waits one second at most: a process that was killed leaves its cgroup
/// a little later (EBUSY until then).
class CgroupRemoval {
  public:
    /// Errors: those of rmdir(2).
    Result<int> remove(const char* path, int folder = AT_FDCWD);

  private:
    int attempts_ = 100;
};

}  // namespace nsb::sys
