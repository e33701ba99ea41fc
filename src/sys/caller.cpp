#include "sys/caller.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <limits>

#include "core/text.h"
#include "sys/place.h"

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
    return Owner{*user, *group};
}

bool is_ours(uid_t owner) {
    const auto caller = sudo_caller();
    return owner == geteuid() || (caller && owner == caller->user);
}

void give_to_caller(const Fd& made, const Fd& folder) {
    const auto caller = sudo_caller();
    struct stat around {};
    if (!caller || fstat(folder.get(), &around) != 0) return;
    if (around.st_uid != caller->user && !can_be_written_by_others(around)) return;
    [[maybe_unused]] const int given =
        fchownat(made.get(), "", caller->user, caller->group, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
}

}  // namespace nsb::sys
