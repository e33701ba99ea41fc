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
/// is missing or no id, where root called it, and in a user namespace, where ids stand for others.
std::optional<Owner> sudo_caller();

/// Whether that is sudo's caller.
bool is_caller(uid_t user);

/// Gives what this process has just made in `folder` to sudo's caller, where they could have made it
/// themselves: the folder is theirs, or everybody or their group can write to it. In a setgid folder it keeps
/// its group. It stays root's elsewhere, and where the file system does not know them.
void give_to_caller(const Fd& made, const Fd& folder);

}  // namespace nsb::sys
