#include "sys/privilege.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "core/failure.h"
#include "sys/capability_sets.h"

namespace nsb::sys {
std::optional<Capabilities> held_capabilities() {
    const auto sets = CapabilitySets::read();
    return sets ? std::optional(sets->effective()) : std::nullopt;
}

int give_up_all_but_files() {
    // The bounding set first, since it takes a capability. Who is not root starts nothing that would have it.
    const int of_bounding = geteuid() == 0 ? cut_bounding_set(over_files()) : 0;
    auto sets = CapabilitySets::read();
    if (!sets) return sets.error();
    const int of_sets = sets->are_within(over_files()) ? 0 : sets->cut(over_files());
    return of_sets != 0 ? of_sets : of_bounding;
}

bool can_open(std::size_t descriptors) {
    std::vector<Fd> opened;
    while (opened.size() < descriptors) {
        auto one = Fd::own(memfd_create("one-more", MFD_CLOEXEC));
        if (!one) return one.error() != EMFILE && one.error() != ENFILE;
        opened.push_back(std::move(*one));
    }
    return true;
}

std::string_view what_ails_proc() {
    struct statfs found {};
    const bool is_mounted = statfs("/proc", &found) == 0 && found.f_type == PROC_SUPER_MAGIC;
    return is_mounted ? kForeignProc : "/proc is not mounted here: mount -t proc proc /proc";
}

}  // namespace nsb::sys
