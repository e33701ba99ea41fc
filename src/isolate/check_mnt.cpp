// mnt: what is mounted where. The proc remount is in check_pid.cpp.
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/failure.h"
#include "isolate/checks.h"
#include "isolate/inside.h"

namespace nsb::isolate {
namespace {

/// A folder that every machine has, and none of whose content a check needs.
constexpr const char* kPlace = "/dev";

PeerAnswer mount_there(const std::string&) {
    // Without a mount namespace of its own (a check that must fail) this cuts the sandbox's propagation only.
    make_own_mounts();
    if (::mount("nsbench", kPlace, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k") != 0) {
        return PeerAnswer::failed("mount");
    }
    return {};
}

PeerAnswer unmount_there(const std::string&) {
    if (umount2(kPlace, MNT_DETACH) != 0) return PeerAnswer::failed("umount2");
    return {};
}

/// The number of the file system there.
PeerAnswer look(const std::string&) {
    struct stat place {};
    if (stat(kPlace, &place) != 0) return PeerAnswer::failed("stat");
    return {0, std::to_string(place.st_dev)};
}

}  // namespace

Verdict check_mounts(CheckContext& context) {
    if (access(kPlace, F_OK) != 0)
        return skip(fmt::format("access({}): {}: a folder that every machine has is missing", kPlace,
                                errno_name(errno)));
    const std::string before = context.outside.must(look);
    Peer inside(context.recipe(Kind::mnt));
    inside.must(mount_there);
    const std::string seen_inside = inside.must(look);
    const std::string seen_outside = context.outside.must(look);
    inside.must(unmount_there);
    const auto describe = [&](const std::string& seen) {
        return fmt::format("{} is device {}{}", kPlace, seen, seen == before ? ", as before" : ", a tmpfs");
    };
    return judge(seen_inside != before && seen_outside == before, describe(seen_inside),
                 describe(seen_outside));
}

}  // namespace nsb::isolate
