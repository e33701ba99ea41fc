#include "sys/cgroup.h"

#include <linux/magic.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "sys/mount.h"

namespace nsb::sys {
namespace {

constexpr useconds_t kBetweenAttempts = 10'000;

}  // namespace

tl::expected<Fd, protocol::Failure> open_cgroup2() {
    // Version 2 is mounted alone, or beside version 1.
    for (const char* const path : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        auto folder = Fd::own(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        struct statfs of {};
        if (!folder || fstatfs(folder->get(), &of) != 0) continue;
        if (of.f_type == CGROUP2_SUPER_MAGIC && (of.f_flags & ST_RDONLY) == 0) return std::move(*folder);
    }
    return mount_detached("cgroup2");
}

Result<int> CgroupRemoval::remove(const char* path, int folder) {
    for (;;) {
        const auto removed = checked(unlinkat(folder, path, AT_REMOVEDIR));
        if (removed || removed.error() != EBUSY || attempts_-- <= 0) return removed;
        usleep(kBetweenAttempts);
    }
}

}  // namespace nsb::sys
