#include "sys/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <array>
#include <climits>

#include "core/text.h"
#include "sys/caller.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::sys {
namespace {

constexpr int kMostLinks = 40;  // the kernel's MAXSYMLINKS

/// Whether different users may all look like this one: those without an id in a user namespace do.
bool may_be_several(uid_t user) {
    const auto overflow = read_file("/proc/sys/kernel/overflowuid");
    const auto map = read_file("/proc/self/uid_map");
    return overflow && map && *overflow == fmt::format("{}\n", user) && !map->ends_with(" 4294967295\n");
}

struct stat status_of(const Fd& fd) {
    struct stat status {};
    must(fstat(fd.get(), &status), "fstat");
    return status;
}

bool is_trusted(const struct stat& found, const struct stat& folder) {
    if (!can_be_written_by_others(folder)) return true;
    const bool is_theirs = found.st_uid == geteuid() || found.st_uid == folder.st_uid;
    return is_theirs && !may_be_several(found.st_uid);
}

/// Whether the folder is the caller's, who may be without an id here as well: only its owner may have the
/// time of access left as it is (open(2), O_NOATIME).
bool is_callers(const Place& place) {
    if (is_caller(place.status.st_uid)) return true;
    if (place.status.st_uid != geteuid()) return false;
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME;
    return !may_be_several(place.status.st_uid) || Fd::own(openat(place.folder.get(), ".", flags));
}

/// Whether it is as this process makes a folder: its own, with nothing in it.
bool is_new(const Fd& folder) {
    if (status_of(folder).st_uid != geteuid()) return false;
    DIR* const names = fdopendir(openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (names == nullptr) return false;
    int count = 0;
    while (readdir(names) != nullptr) ++count;
    closedir(names);
    return count <= 2;  // . and ..
}

class Walk {
  public:
    Walk(const std::filesystem::path& path, int start, Missing missing)
        : path_(path.native()), rest_(path.native()), missing_(missing) {
        if (rest_.empty()) fail(ENOENT);
        go_to(rest_.starts_with('/') ? "/" : ".", rest_.starts_with('/') ? AT_FDCWD : start);
    }

    Place to_the_end() {
        for (;;) {
            rest_.erase(0, rest_.find_first_not_of('/'));
            if (rest_.empty()) return itself();
            const std::size_t end = std::min(rest_.find('/'), rest_.size());
            name_ = rest_.substr(0, end);
            rest_.erase(0, end);
            if (auto place = step()) return std::move(*place);
        }
    }

  private:
    [[noreturn]] void fail(int error) const { throw SystemError("open", path_, error); }

    void go_to(const char* folder, int start) {
        auto opened = Fd::own(openat(start, folder, O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!opened) fail(opened.error());
        folder_ = std::move(*opened);
    }

    Place itself() {
        Place place;
        place.status = status_of(folder_);
        place.folder = std::move(folder_);
        return place;
    }

    /// One component. The place, where it is the last one.
    std::optional<Place> step() {
        const bool is_last = rest_.find_first_not_of('/') == std::string::npos;
        // First as a folder: only that mounts what automount has there.
        const int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
        auto found = Fd::own(openat(folder_.get(), name_.c_str(), flags | O_DIRECTORY));
        if (!found && found.error() == ENOTDIR) found = Fd::own(openat(folder_.get(), name_.c_str(), flags));
        if (!found && found.error() == ENOENT && missing_ == Missing::is_made) {
            const bool is_made = mkdirat(folder_.get(), name_.c_str(), 0777) == 0;
            if (!is_made && errno != EEXIST) throw SystemError("mkdir", path_, errno);
            found = Fd::own(openat(folder_.get(), name_.c_str(), flags | O_DIRECTORY));
            // Whoever may write to the folder may have put another one there by now: that one is not given
            // away.
            if (is_made && found && is_new(*found)) give_to_caller(*found, folder_);
        }
        if (!found && found.error() == ENOENT && is_last && rest_.empty()) return here({});
        if (!found) fail(found.error());

        const struct stat status = status_of(*found);
        if (S_ISLNK(status.st_mode)) return follow(*found, status, is_last);
        if (S_ISDIR(status.st_mode)) {
            folder_ = std::move(*found);
            return std::nullopt;
        }
        if (!rest_.empty()) fail(ENOTDIR);
        if (!S_ISREG(status.st_mode)) check(status);
        return here(std::move(*found));
    }

    Place here(Fd found) {
        Place place;
        if (found) place.status = status_of(found);
        place.folder = std::move(folder_);
        place.name = name_;
        place.found = std::move(found);
        return place;
    }

    std::optional<Place> follow(const Fd& link, const struct stat& status, bool is_last) {
        if (++links_ > kMostLinks) fail(ELOOP);
        struct statfs system {};
        must(fstatfs(link.get(), &system), "fstatfs", path_);
        if (system.f_type == PROC_SUPER_MAGIC) return follow_kernels(is_last);
        check(status);
        std::array<char, PATH_MAX> target{};
        const auto length = must(readlinkat(link.get(), "", target.data(), target.size()), "readlink", path_);
        rest_.insert(0, target.data(), static_cast<std::size_t>(length));
        if (rest_.starts_with('/')) go_to("/", AT_FDCWD);
        return std::nullopt;
    }

    /// A link of procfs: nobody plants one there. Its text need not be a path: what /proc/self/fd/1 stands
    /// for may have no name.
    std::optional<Place> follow_kernels(bool is_last) {
        struct stat own {};
        if (is_last && stat("/proc/self/fd", &own) == 0 && is_same(own, status_of(folder_))) {
            if (const auto number = parse_count(name_, 0, INT_MAX)) {
                Place place;
                place.descriptor = static_cast<int>(*number);
                return place;
            }
        }
        auto found = Fd::own(openat(folder_.get(), name_.c_str(), O_PATH | O_CLOEXEC));
        if (!found) fail(found.error());
        if (S_ISDIR(status_of(*found).st_mode)) {
            folder_ = std::move(*found);
            return std::nullopt;
        }
        if (!rest_.empty()) fail(ENOTDIR);
        Place place = here(std::move(*found));
        place.by_kernel = true;
        return place;
    }

    /// Throws unless the link may be followed, or the pipe written to (fs.protected_fifos).
    void check(const struct stat& found) const {
        if (is_trusted(found, status_of(folder_))) return;
        throw SystemError(
            fmt::format("{}: {} is {} of user {} in a folder that others can write to: it is not {}; "
                        "name a file of your own",
                        path_, name_, S_ISLNK(found.st_mode) ? "a link" : "a pipe", found.st_uid,
                        S_ISLNK(found.st_mode) ? "followed" : "written to"),
            EACCES);
    }

    std::string path_;  ///< for messages
    std::string rest_;
    Missing missing_;
    Fd folder_;
    std::string name_;
    int links_ = 0;
};

}  // namespace

bool is_same(const struct stat& one, const struct stat& other) {
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

bool can_be_written_by_others(const struct stat& folder) {
    return (folder.st_mode & (S_IWOTH | S_IWGRP)) != 0;
}

bool is_sticky(const Place& place) {
    return (status_of(place.folder).st_mode & S_ISVTX) != 0;
}

bool is_trusted(const Place& place) {
    if (S_ISREG(place.status.st_mode) && is_caller(place.status.st_uid)) return true;
    return is_trusted(place.status, status_of(place.folder));
}

Place find_place(const std::filesystem::path& path, int start) {
    return Walk(path, start, Missing::is_an_error).to_the_end();
}

Fd open_own_folder(const std::filesystem::path& path, Missing missing, int start) {
    const Place place = Walk(path, start, missing).to_the_end();
    if (!place.name.empty() || place.descriptor) throw SystemError("open", path.native(), ENOTDIR);
    if (place.status.st_uid != 0 && !is_callers(place)) {
        throw SystemError(
            fmt::format("{}: this folder belongs to user {}, who could change what is written there: name "
                        "one of your own",
                        path.native(), place.status.st_uid),
            EACCES);
    }
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    return Fd(static_cast<int>(must(openat(place.folder.get(), ".", flags), "open", path.native())));
}

}  // namespace nsb::sys
