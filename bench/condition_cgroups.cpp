// cgroups: so many cgroups more, of version 2, below one of the sampler's own. Nothing but rmdir(2) ends one:
// the keeper survives all others, and removes them.
#include <fcntl.h>
#include <sys/stat.h>
#include <cstdio>
#include <cstring>

#include "conditions.h"
#include "sys/cgroup.h"
#include "sys/patience.h"

namespace nsb::bench {
namespace {

/// "nsbench-conditions-SAMPLER-MOMENT", and the cgroups in it are numbered.
struct Names {
    explicit Names(const Setting& here) {
        std::snprintf(folder, sizeof folder, "nsbench-conditions-%d-%llx", here.sampler,
                      static_cast<unsigned long long>(here.moment));
    }
    void number(std::uint64_t of) {
        std::snprintf(one, sizeof one, "%llu", static_cast<unsigned long long>(of));
    }
    char folder[64];
    char one[24] = "";
};

/// What make_in() has made there, or a part of it; again for a second, as long as something is in the way. By
/// paths: a folder that cannot be opened would stay.
void remove_from(const sys::Fd& parent, const Setting& here) {
    Names names(here);
    std::uint64_t first = 0;  // that is not known to be gone
    const auto remove = [&] {
        for (std::uint64_t i = first; i < here.value; ++i) {
            names.number(i);
            char path[sizeof names.folder + 1 + sizeof names.one];
            std::snprintf(path, sizeof path, "%s/%s", names.folder, names.one);
            const bool is_gone = unlinkat(parent.get(), path, AT_REMOVEDIR) == 0 || errno == ENOENT;
            if (is_gone && i == first) ++first;
        }
        return unlinkat(parent.get(), names.folder, AT_REMOVEDIR);
    };
    (void)sys::patiently(remove, [](int error) { return error != ENOENT && error != EACCES; });
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

/// In the sampler's folder.
Failure make_in(const sys::Fd& parent, const Setting& here) {
    Names names(here);
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
    const auto parent = sys::make_cgroup(Names(here).folder);
    if (!parent) return here.failed(parent.error().error);
    const Failure failure = make_in(*parent, here);
    if (failure.error == 0) hold(here);
    remove_from(*parent, here);
    return failure;
}

void remove_cgroups(const Setting& here) {
    if (const auto root = sys::open_cgroup2()) remove_from(*root, here);
    if (const auto own = sys::open_own_cgroup()) remove_from(*own, here);
}

}  // namespace nsb::bench
