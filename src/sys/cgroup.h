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
