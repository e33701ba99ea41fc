// The deputy's own mount namespace, for the conditions that are mounts.
#include "conditions.h"
#include "own_namespaces.h"
#include "sys/mount.h"

namespace nsb::bench {

Failure enter_own_mounts(Setting& here) {
    if (here.has_own_mounts) return {};
    if (const Failure failure = enter_new(Kind::mnt, here.request.in_userns); failure.error != 0)
        return here.failed(failure.error);
    if (const auto folder = sys::mount_tmpfs(kFolder, sys::Devices::no); !folder)
        return here.failed(folder.error());
    here.has_own_mounts = true;
    return {};
}

}  // namespace nsb::bench
