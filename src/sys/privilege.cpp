#include "sys/privilege.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "core/failure.h"
#include "sys/capability_sets.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::sys {
namespace {

constexpr Capabilities kSetpcap = Capabilities{1} << CAP_SETPCAP;

[[noreturn]] void end_without_rights(int error) {
    try_write(STDERR_FILENO, fmt::format("nsbench: capabilities could not be put in effect again: {}\n",
                                         Refusal{.call = "capset", .error = error}.text()));
    remove_unfinished();
    _exit(EXIT_FAILURE);
}

}  // namespace

std::optional<Capabilities> held_capabilities() {
    const auto sets = CapabilitySets::read();
    return sets ? std::optional(sets->effective()) : std::nullopt;
}

Expected<void> give_up_all_but_files() {
    auto sets = CapabilitySets::read();
    if (!sets) return tl::unexpected(Refusal{.call = "capget", .error = sets.error()});
    int of_bounding = 0;
    if (starts_with_bounding_set()) {
        // It takes a capability, which may be permitted and not in effect.
        if ((sets->effective() & kSetpcap) == 0) (void)sets->put_in_effect(sets->effective() | kSetpcap);
        of_bounding = cut_bounding_set(over_files());
    }
    const int of_sets = sets->are_within(over_files()) ? 0 : sets->cut(over_files());
    if (of_sets != 0) return tl::unexpected(Refusal{.call = "capset", .error = of_sets});
    if (of_bounding != 0)
        return tl::unexpected(Refusal{.call = "prctl(PR_CAPBSET_DROP)", .error = of_bounding});
    return {};
}

Expected<void> with_rights_over_files(const std::function<void()>& work) {
    auto sets = CapabilitySets::read();
    const Capabilities own = sets ? sets->effective() : 0;
    const bool has_more = (own & ~over_files()) != 0;
    const int error = !sets ? sets.error() : has_more ? sets->put_in_effect(own & over_files()) : 0;
    attempt_all({[&] { work(); },
                 [&] {
                     if (!has_more || error != 0) return;
                     if (const int again = sets->put_in_effect(own); again != 0) end_without_rights(again);
                 }});
    if (error == 0) return {};
    return tl::unexpected(Refusal{.call = sets ? "capset" : "capget", .error = error});
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
