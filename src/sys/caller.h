// Whom the files belong to that a root run makes: under sudo the user who called it.
#pragma once

#include <sys/types.h>

#include <optional>

#include "sys/fd.h"

namespace nsb::sys {

struct Owner {
    uid_t user;
    gid_t group;
};

/// Who called sudo, as it says in SUDO_UID and SUDO_GID. Nothing where this process is not root, where either
/// is missing or no id, and where root called it.
std::optional<Owner> sudo_caller();

/// Whether what has this owner is this process's user's, or sudo's caller's, who may do as root anyway.
bool is_ours(uid_t owner);

/// Gives what this process has just made in `folder` to sudo's caller, if the folder is theirs or others can
/// write to it, as to /tmp: where they could have made it themselves. It stays root's elsewhere, and where
/// the file system or a user namespace does not know them.
void give_to_caller(const Fd& made, const Fd& folder);

}  // namespace nsb::sys
