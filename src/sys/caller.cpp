#include "sys/caller.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <limits>

#include "core/text.h"
#include "sys/file.h"

namespace nsb::sys {
namespace {

std::optional<uid_t> id_in(const char* variable) {
    const char* const text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    // The last one means 'leave it as it is' to chown(2).
    const auto id = parse_count(text, 0, std::numeric_limits<uid_t>::max() - 1);
    return id ? std::optional(static_cast<uid_t>(*id)) : std::nullopt;
}

}  // namespace

std::optional<Owner> sudo_caller() {
    if (geteuid() != 0) return std::nullopt;
    const auto user = id_in("SUDO_UID");
    const auto group = id_in("SUDO_GID");
    if (!user || !group || *user == 0) return std::nullopt;
    const auto map = read_file("/proc/self/uid_map");
    if (!map || !map->ends_with(" 4294967295\n")) return std::nullopt;
    return Owner{*user, *group};
}

bool is_caller(uid_t user) {
    const auto caller = sudo_caller();
    return caller && user == caller->user;
}

void give_to_caller(const Fd& made, const Fd& folder) {
    const auto caller = sudo_caller();
    struct stat around {};
    if (!caller || fstat(folder.get(), &around) != 0) return;
    const bool is_groups = (around.st_mode & S_IWGRP) != 0 && around.st_gid == caller->group;
    if (around.st_uid != caller->user && (around.st_mode & S_IWOTH) == 0 && !is_groups) return;
    const gid_t group = (around.st_mode & S_ISGID) != 0 ? static_cast<gid_t>(-1) : caller->group;
    [[maybe_unused]] const int given =
        fchownat(made.get(), "", caller->user, group, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
}

}  // namespace nsb::sys
