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

Expected<void> give_up_all_but_files() {
    // The bounding set first, since it takes a capability.
    const int of_bounding = starts_with_bounding_set() ? cut_bounding_set(over_files()) : 0;
    auto sets = CapabilitySets::read();
    if (!sets) return tl::unexpected(Refusal{.call = "capget", .error = sets.error()});
    const int of_sets = sets->are_within(over_files()) ? 0 : sets->cut(over_files());
    if (of_sets != 0) return tl::unexpected(Refusal{.call = "capset", .error = of_sets});
    if (of_bounding != 0)
        return tl::unexpected(Refusal{.call = "prctl(PR_CAPBSET_DROP)", .error = of_bounding});
    return {};
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
