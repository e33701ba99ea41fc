#include "sys/cgroup.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <cstdio>
#include <cstring>

#include "sys/mount.h"

namespace nsb::sys {
namespace {

using protocol::Call;
using protocol::Failure;

constexpr useconds_t kBetweenAttempts = 10'000;

/// Where version 2 is mounted, alone or beside version 1, whose folder is another file system.
constexpr const char* kMounted[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

/// A folder of version 2 that can be written to.
Result<Fd> open_writable(const char* path) {
    auto folder = Fd::own(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return folder;
    struct statfs of {};
    if (fstatfs(folder->get(), &of) != 0) return tl::unexpected(errno);
    if (of.f_type != CGROUP2_SUPER_MAGIC) return tl::unexpected(ENOENT);
    if ((of.f_flags & ST_RDONLY) != 0) return tl::unexpected(EROFS);
    return folder;
}

bool is_refused(int error) {
    return error == EPERM || error == EACCES || error == EROFS;
}

}  // namespace

tl::expected<Fd, Failure> open_cgroup2() {
    for (const char* const path : kMounted) {
        if (auto folder = open_writable(path)) return std::move(*folder);
    }
    return mount_detached("cgroup2");
}

Result<Fd> open_own_cgroup() {
    char text[4096] = "\n";
    const auto file = Fd::own(open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC));
    if (!file) return tl::unexpected(file.error());
    if (retried([&] { return read(file->get(), text + 1, sizeof text - 2); }) < 0)
        return tl::unexpected(errno);
    // The line of version 2 (cgroups(7)).
    constexpr const char* kLine = "\n0::";
    char* const line = std::strstr(text, kLine);
    if (line == nullptr) return tl::unexpected(ENOENT);
    char* const own = line + std::strlen(kLine);
    own[std::strcspn(own, "\n")] = '\0';
    for (const char* const mounted : kMounted) {
        char path[4200];
        std::snprintf(path, sizeof path, "%s%s", mounted, own);
        if (auto cgroup = open_writable(path)) return cgroup;
    }
    return tl::unexpected(ENOENT);
}

tl::expected<Fd, Failure> make_cgroup(const char* name) {
    auto root = open_cgroup2();
    if (root && mkdirat(root->get(), name, 0755) == 0) return root;
    const Failure failure = root ? Failure{Call::make_cgroup, errno} : root.error();
    if (!is_refused(failure.error)) return tl::unexpected(failure);
    auto own = open_own_cgroup();
    if (!own) return tl::unexpected(failure);
    if (mkdirat(own->get(), name, 0755) != 0) return tl::unexpected(Failure{Call::make_cgroup, errno});
    return std::move(*own);
}

void remove_cgroup(const char* name) {
    if (const auto root = open_cgroup2()) (void)CgroupRemoval().remove(name, root->get());
    if (const auto own = open_own_cgroup()) (void)CgroupRemoval().remove(name, own->get());
}

Result<int> CgroupRemoval::remove(const char* path, int folder) {
    for (;;) {
        const auto removed = checked(unlinkat(folder, path, AT_REMOVEDIR));
        if (removed || removed.error() != EBUSY || attempts_-- <= 0) return removed;
        usleep(kBetweenAttempts);
    }
}

}  // namespace nsb::sys
