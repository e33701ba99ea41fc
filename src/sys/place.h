// Where an output goes: a path is walked here, link by link, so that nobody else decides where it leads.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>

#include "sys/fd.h"

namespace nsb::sys {

/// Where a path leads: a name in a folder that is held open, so that nothing can be swapped between the walk
/// and what is done there.
struct Place {
    Fd folder;                      ///< O_PATH
    std::string name;               ///< in `folder`; empty where the path leads to `folder` itself
    Fd found;                       ///< O_PATH: what has that name; none where nothing has
    struct stat status {};          ///< of what was found
    bool by_kernel = false;         ///< `name` is one of the kernel's own links, as in /proc/7/fd
    std::optional<int> descriptor;  ///< of this process, which the path stands for: /dev/stdout, /dev/fd/3
};

/// What becomes of folders that are missing.
enum class Missing { is_an_error, is_made };

/// Walks `path`, from the folder `start` where it is relative. A link in a folder that others can write to is
/// followed only if it belongs to the caller or to the folder's owner: the rule of fs.protected_symlinks
/// (may_follow_link in the kernel's fs/namei.c), which may be switched off. It holds for each component, and
/// for a pipe at the end. Throws SystemError.
Place find_place(const std::filesystem::path& path, int start = AT_FDCWD);

bool is_same(const struct stat& one, const struct stat& other);

/// Whether others than its owner can put something into this folder.
bool can_be_written_by_others(const struct stat& folder);

/// Whether only the owner of a file in the place's folder may rename or remove it, as in /tmp.
bool is_sticky(const Place& place);

/// Whether what was found is the caller's or its folder's owner's, or nobody else can have put it there. A
/// regular file may be sudo's caller's, too.
bool is_trusted(const Place& place);

/// The folder `path`, held open for reading. Throws SystemError, also where it belongs to somebody else, who
/// could change at any moment what is in it. It is the caller's or root's then; others may still put files of
/// theirs into it, as into /tmp, so that of each file in it is_trusted() is asked. A relative path begins in
/// the folder `start`.
Fd open_own_folder(const std::filesystem::path& path, Missing missing, int start = AT_FDCWD);

}  // namespace nsb::sys
