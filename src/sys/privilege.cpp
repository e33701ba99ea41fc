#include "sys/privilege.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "core/failure.h"
#include "sys/capability_sets.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::sys {
namespace {

void say_once(const Refusal& refusal) {
    static bool is_said = false;
    if (std::exchange(is_said, true)) return;
    try_write(STDERR_FILENO,
              fmt::format("nsbench: files are read and written with all capabilities in effect: {}\n",
                          refusal.text()));
}

}  // namespace

std::optional<Capabilities> held_capabilities() {
    const auto sets = CapabilitySets::read();
    return sets ? std::optional(sets->effective()) : std::nullopt;
}

Expected<void> give_up_all_but_files() {
    // The bounding set first, since it takes a capability, which may be permitted and not in effect.
    if (auto sets = CapabilitySets::read()) (void)sets->put_in_effect(sets->permitted());
    const int of_bounding = starts_with_bounding_set() ? cut_bounding_set(over_files()) : 0;
    auto sets = CapabilitySets::read();
    if (!sets) return tl::unexpected(Refusal{.call = "capget", .error = sets.error()});
    const int of_sets = sets->are_within(over_files()) ? 0 : sets->cut(over_files());
    if (of_sets != 0) return tl::unexpected(Refusal{.call = "capset", .error = of_sets});
    if (of_bounding != 0)
        return tl::unexpected(Refusal{.call = "prctl(PR_CAPBSET_DROP)", .error = of_bounding});
    return {};
}

void with_rights_over_files(const std::function<void()>& work) {
    auto sets = CapabilitySets::read();
    const Capabilities own = sets ? sets->effective() : 0;
    if (sets && (own & ~over_files()) == 0) return work();
    if (const int error = sets ? sets->put_in_effect(own & over_files()) : sets.error(); error != 0) {
        say_once(Refusal{.call = sets ? "capset" : "capget", .error = error});
        return work();
    }
    attempt_all({work, [&] {
                     if (const int error = sets->put_in_effect(own); error != 0)
                         throw SystemError("capset", names_of(own), error);
                 }});
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
