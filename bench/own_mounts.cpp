// The deputy's own mount namespace, for the conditions that are mounts.
#include <sched.h>

#include "conditions.h"
#include "sys/id_maps.h"
#include "sys/mount.h"

namespace nsb::bench {

Failure enter_own_mounts(Setting& here) {
    if (here.has_own_mounts) return {};
    const sys::IdMaps maps;
    if (here.request.in_userns) {
        if (unshare(CLONE_NEWUSER) != 0) return here.failed();
        if (const Failure failure = maps.write_own(); failure.error != 0) return failure;
    }
    if (unshare(CLONE_NEWNS) != 0) return here.failed();
    if (const auto cut = sys::make_mounts_private(); !cut) return {Call::mount_private, cut.error()};
    if (const auto folder = sys::mount_tmpfs(kFolder, sys::Devices::no); !folder)
        return here.failed(folder.error());
    here.has_own_mounts = true;
    return {};
}

}  // namespace nsb::bench
