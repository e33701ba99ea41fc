// cgroups: so many cgroups more, of version 2, below one of the sampler's own. Nothing but rmdir(2) ends one:
// the keeper survives all others, and removes them.
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <cstdio>
#include <cstring>

#include "conditions.h"
#include "sys/mount.h"

namespace nsb::bench {
namespace {

/// Where version 2 is mounted, alone or beside version 1, whose folder is another file system.
constexpr const char* kMounted[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

/// The cgroup that the caller is in, by which systemd's Delegate=yes gives it cgroups of its own.
sys::Result<sys::Fd> open_own() {
    char text[4096] = "\n";
    const auto file = sys::Fd::own(open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC));
    if (!file) return tl::unexpected(file.error());
    if (sys::retried([&] { return read(file->get(), text + 1, sizeof text - 2); }) < 0)
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
        auto cgroup = sys::Fd::own(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
        struct statfs system {};
        if (cgroup && fstatfs(cgroup->get(), &system) == 0 && system.f_type == CGROUP2_SUPER_MAGIC)
            return cgroup;
    }
    return tl::unexpected(ENOENT);
}

/// In which the sampler's folder of cgroups is made: the root, reached without a path, or one's own.
sys::Result<sys::Fd> open_parent() {
    if (auto root = sys::mount_detached("cgroup2")) return std::move(*root);
    return open_own();
}

/// "nsbench-conditions-SAMPLER", and the cgroups in it are numbered.
struct Names {
    explicit Names(pid_t sampler) { std::snprintf(folder, sizeof folder, "nsbench-conditions-%d", sampler); }
    void number(std::uint64_t of) {
        std::snprintf(one, sizeof one, "%llu", static_cast<unsigned long long>(of));
    }
    char folder[48];
    char one[24] = "";
};

void remove_from(const sys::Fd& parent, pid_t sampler, std::uint64_t count) {
    Names names(sampler);
    const auto folder = sys::Fd::own(openat(parent.get(), names.folder, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return;
    for (std::uint64_t i = 0; i < count; ++i) {
        names.number(i);
        (void)unlinkat(folder->get(), names.one, AT_REMOVEDIR);
    }
    (void)unlinkat(parent.get(), names.folder, AT_REMOVEDIR);
}

/// The cgroups have what the folder has: what the host gives its own.
void pass_controllers_on(const sys::Fd& folder) {
    const auto has = sys::Fd::own(openat(folder.get(), "cgroup.controllers", O_RDONLY | O_CLOEXEC));
    const auto gives = sys::Fd::own(openat(folder.get(), "cgroup.subtree_control", O_WRONLY | O_CLOEXEC));
    char text[512] = "";
    if (!has || !gives || sys::retried([&] { return read(has->get(), text, sizeof text - 1); }) <= 0) return;
    char* rest = nullptr;
    for (char* word = strtok_r(text, " \n", &rest); word != nullptr; word = strtok_r(nullptr, " \n", &rest)) {
        char line[64];
        const int length = std::snprintf(line, sizeof line, "+%s", word);
        // One that cannot be given (cpu, with real-time tasks) is one less.
        (void)sys::retried([&] { return write(gives->get(), line, static_cast<std::size_t>(length)); });
    }
}

Failure make_in(const sys::Fd& parent, const Setting& here) {
    Names names(here.sampler);
    if (mkdirat(parent.get(), names.folder, 0755) != 0) return here.failed();
    const auto folder = sys::Fd::own(openat(parent.get(), names.folder, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return here.failed(folder.error());
    pass_controllers_on(*folder);
    for (std::uint64_t i = 0; i < here.value; ++i) {
        names.number(i);
        if (mkdirat(folder->get(), names.one, 0755) != 0) return here.failed();
    }
    return {};
}

}  // namespace

Failure set_up_cgroups(Setting& here) {
    // Nobody's signal to a process group or session is for it.
    setsid();
    const auto parent = open_parent();
    if (!parent) return here.failed(parent.error());
    const Failure failure = make_in(*parent, here);
    if (failure.error == 0) hold(here);
    remove_from(*parent, here.sampler, here.value);
    return failure;
}

void remove_cgroups(pid_t sampler, std::uint64_t count) {
    if (const auto parent = open_parent()) remove_from(*parent, sampler, count);
}

}  // namespace nsb::bench
