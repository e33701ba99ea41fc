// peers: so many mounts of one peer group where the block begins, and another mount namespace with as many
// slaves of theirs, to which a mount on one of them would propagate as well.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <cstdio>

#include "conditions.h"

namespace nsb::bench {
namespace {

/// In a keeper, which is in the deputy's mount namespace at first.
Failure keep_slaves(Setting& here) {
    if (make_namespace([] { return unshare(CLONE_NEWNS); }) != 0) return here.failed();
    if (mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return here.failed();
    hold(here);
    return {};
}

}  // namespace

Failure set_up_peers(Setting& here) {
    if (const Failure failure = enter_own_mounts(here); failure.error != 0) return failure;
    // In a mount that is not shared, or each mount below it would propagate to all peers.
    char source[64];
    std::snprintf(source, sizeof source, "%s/peers", kFolder);
    if (mkdir(source, 0755) != 0 || mount(source, source, nullptr, MS_BIND, nullptr) != 0 ||
        mount("none", source, nullptr, MS_SHARED, nullptr) != 0)
        return here.failed();
    for (std::uint64_t made = 1; made < here.value; ++made) {
        char target[64];
        std::snprintf(target, sizeof target, "%s/peer%llu", kFolder, static_cast<unsigned long long>(made));
        if (mkdir(target, 0755) != 0 || mount(source, target, nullptr, MS_BIND, nullptr) != 0)
            return here.failed();
    }
    auto keeper = Keeper::start(here, keep_slaves);
    if (!keeper) return keeper.error();
    here.slaves.emplace(std::move(*keeper));
    return {};
}

}  // namespace nsb::bench
