// mounts: so many mounts more in the mount namespace that the block begins in: a tmpfs, and directories of it
// that are mounted on others of it.
#include <sys/mount.h>
#include <sys/stat.h>
#include <cstdio>
#include <cstring>

#include "conditions.h"

namespace nsb::bench {

Failure set_up_mounts(Setting& here) {
    if (const Failure failure = enter_own_mounts(here); failure.error != 0) return failure;
    char source[64];
    char target[64];
    std::snprintf(source, sizeof source, "%s/mounts", kFolder);
    if (mkdir(source, 0755) != 0) return here.failed();
    for (std::uint64_t made = 1; made < here.value; ++made) {
        // Each on a directory of its own: mounts on one another are looked up one after the other.
        std::snprintf(target, sizeof target, "%s/mount%llu", kFolder, static_cast<unsigned long long>(made));
        if (mkdir(target, 0755) != 0 || mount(source, target, nullptr, MS_BIND, nullptr) != 0)
            return here.failed();
        // The next are of the first, on which nothing is mounted: the kernel looks through what is mounted on
        // the mount that it copies (has_locked_children()).
        if (made == 1) std::memcpy(source, target, sizeof source);
    }
    return {};
}

}  // namespace nsb::bench
