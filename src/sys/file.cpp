#include "sys/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/limits.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "sys/caller.h"
#include "sys/error.h"
#include "sys/place.h"

namespace nsb::sys {
namespace {

/// Names of files that are being written: short, so that they fit where the file's own name is of any length.
constexpr std::string_view kPart = ".part-";
constexpr std::size_t kDigits = 8;

std::string new_name() {
    std::uint32_t number = 0;
    must(retried([&] { return getrandom(&number, sizeof number, 0); }), "getrandom");
    return fmt::format("{}{:0{}x}", kPart, number, kDigits);
}

bool is_part(std::string_view name) {
    return name.size() == kPart.size() + kDigits && name.starts_with(kPart) &&
           name.find_first_not_of("0123456789abcdef", kPart.size()) == std::string_view::npos;
}

/// Calls `make` with new names until it has made one that was not there: its descriptor, or 0.
int make_new(std::string& name, std::string_view call, std::string_view path, auto make) {
    for (;;) {
        name = new_name();
        const int made = make(name.c_str());
        if (made >= 0 || errno != EEXIST) return static_cast<int>(must(made, call, path));
    }
}

constexpr const char* kList = "system.posix_acl_access";

/// The access control list of a file: empty where it has none; nothing where that cannot be told.
std::optional<std::string> list_of(const Fd& file) {
    std::string list(XATTR_SIZE_MAX, '\0');
    // It is open as O_PATH, whose attributes are asked by name alone.
    const std::string path = fmt::format("/proc/self/fd/{}", file.get());
    const ssize_t size = getxattr(path.c_str(), kList, list.data(), list.size());
    if (size < 0 && errno != ENODATA && errno != EOPNOTSUPP) return std::nullopt;
    list.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return list;
}

/// Gives the file that list, or none; false where there is one, and it cannot be given.
bool take_list(const Fd& file, const std::optional<std::string>& list) {
    if (!list) return false;
    if (!list->empty()) return fsetxattr(file.get(), kList, list->data(), list->size(), 0) == 0;
    fremovexattr(file.get(), kList);  // what it has from its folder
    return true;
}

/// What is put into the place of another file is no more open to anybody than that was.
void take_access(const Fd& file, const struct stat& replaced, const std::optional<std::string>& list) {
    struct stat own {};
    must(fstat(file.get(), &own), "fstat");
    mode_t mode = replaced.st_mode & 0777U;
    constexpr auto kSame = static_cast<uid_t>(-1);
    if (own.st_uid != replaced.st_uid) {
        // An ordinary user cannot give a file away: it is theirs then.
        [[maybe_unused]] const int given = fchown(file.get(), replaced.st_uid, kSame);
    }
    const bool is_groups = own.st_gid == replaced.st_gid || fchown(file.get(), kSame, replaced.st_gid) == 0;
    // With a list, the mode's group bits are its mask, which is more than the group may.
    if (!take_list(file, list)) mode &= 0700U;
    // Another group was among the others before, and the others now may have been in that group.
    const mode_t both = (mode >> 3U) & mode & 7U;
    if (!is_groups) mode = (mode & 0700U) | both << 3U | both;
    // Where that is refused, too, as some file systems do, it stays its owner's alone.
    (void)fchmod(file.get(), mode);
}

/// The file that is being written, for who ends without its destructor; there is one at a time.
struct {
    int folder = -1;
    std::array<char, kPart.size() + kDigits + 1> name{};
} under_way;

/// A file beside the one that it is to become. Removed unless it has.
class Temporary {
  public:
    Temporary(const Place& place, std::string_view path) : place_(place), path_(path) {
        if (place.found) list_ = list_of(place.found);
        constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        const mode_t mode = place.found ? 0600 : 0666;
        fd_ = Fd(make_new(name_, "open", path,
                          [&](const char* name) { return openat(place.folder.get(), name, kFlags, mode); }));
        std::ranges::copy(name_, under_way.name.begin());
        under_way.folder = place.folder.get();
    }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    ~Temporary() { remove_unfinished(); }

    void write(std::string_view text) const { write_all(fd_.get(), text, path_); }
    /// What it is then.
    struct stat take_its_place() {
        if (place_.found) take_access(fd_, place_.status, list_);
        const int folder = place_.folder.get();
        struct stat written {};
        must(fstat(fd_.get(), &written), "fstat", path_);
        must(renameat(folder, name_.c_str(), folder, place_.name.c_str()), "rename", path_);
        under_way.folder = -1;
        // Not before: what is theirs they may rename, in a sticky folder, too.
        if (!place_.found) give_to_caller(fd_, place_.folder);
        return written;
    }

  private:
    const Place& place_;
    std::string path_;
    std::optional<std::string> list_;  ///< of what it replaces
    std::string name_;
    Fd fd_;
};

/// Throws where the file there cannot be renamed over, as in a sticky folder one of somebody else: asked by a
/// rename to the name of a folder, which the kernel refuses with EISDIR once it has nothing against the rest.
void check_renamable(const Place& place, const std::string& path) {
    const int folder = place.folder.get();
    std::string name;
    make_new(name, "mkdir", path, [&](const char* new_folder) { return mkdirat(folder, new_folder, 0700); });
    const int renamed = renameat(folder, place.name.c_str(), folder, name.c_str());
    const int error = errno;
    unlinkat(folder, name.c_str(), AT_REMOVEDIR);
    if (renamed != 0 && error != EISDIR) throw SystemError("rename", path, error);
}

/// Devices and pipes have no name that could be replaced.
bool is_written_in_place(const Place& place) {
    return place.by_kernel || (place.found && !S_ISREG(place.status.st_mode));
}

/// Opens by its name what was found there; ESTALE where something else has that name by now, as only what was
/// found was allowed.
Fd open_found(const Place& place, const std::string& path, int flags) {
    flags |= O_CLOEXEC | O_NOCTTY | (place.by_kernel ? 0 : O_NOFOLLOW);
    Fd fd(static_cast<int>(must(openat(place.folder.get(), place.name.c_str(), flags), "open", path)));
    struct stat opened {};
    must(fstat(fd.get(), &opened), "fstat", path);
    if (!is_same(opened, place.status)) throw SystemError("open", path, ESTALE);
    return fd;
}

Fd open_in_place(const Place& place, const std::string& path) {
    return open_found(place, path, O_WRONLY | O_APPEND);
}

void check_open(int descriptor, const std::string& path) {
    const long flags = must(fcntl(descriptor, F_GETFL), "fcntl", path);
    if ((flags & O_ACCMODE) == O_RDONLY) throw SystemError("write", path, EBADF);
}

Place find_file(const std::filesystem::path& path, int at) {
    Place place = find_place(path, at);
    if (place.name.empty() && !place.descriptor) throw SystemError("open", path.native(), EISDIR);
    return place;
}

void require_trusted(const Place& place, const std::string& path, std::string_view what_is_not_done) {
    if (is_trusted(place)) return;
    throw SystemError(
        fmt::format("{}: belongs to user {}, in a folder that others can write to: it is not {}; "
                    "name a file or folder of your own",
                    path, place.status.st_uid, what_is_not_done),
        EACCES);
}

/// As find_file(), for writing. A file of somebody else keeps its owner, who may have made it in a folder
/// like /tmp for that (fs.protected_regular). Without the sticky bit anybody may replace it there, and may be
/// meant to.
Place find_output(const std::filesystem::path& path, int at) {
    Place place = find_file(path, at);
    if (place.found && S_ISREG(place.status.st_mode) && is_sticky(place))
        require_trusted(place, path.native(), "replaced");
    return place;
}

/// Gives what read(2) gives to `take` until that says false, or there is no more.
Result<void> read_pieces(const Fd& file, const std::function<bool(std::string_view piece)>& take) {
    // Not into a text itself: most files are of a line, for which 128 KiB would be filled with zeros. Nor on
    // the stack, which may be of 64 KiB (RLIMIT_STACK).
    constexpr std::size_t kPiece = 1U << 16U;
    const auto piece = std::make_unique_for_overwrite<char[]>(kPiece);
    for (;;) {
        const ssize_t got = retried([&] { return read(file.get(), piece.get(), kPiece); });
        if (got < 0) return tl::unexpected(errno);
        if (got == 0 || !take({piece.get(), static_cast<std::size_t>(got)})) return {};
    }
}

Result<std::string> read_all(const Fd& file) {
    std::string text;
    return read_pieces(file,
                       [&text](std::string_view piece) {
                           text += piece;
                           return true;
                       })
        .map([&text] { return std::move(text); });
}

Result<Fd> open_to_read(const std::filesystem::path& path) {
    return Fd::own(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path) {
    return open_to_read(path).and_then([](const Fd& file) { return read_all(file); });
}

Result<void> read_lines(const std::filesystem::path& path,
                        const std::function<bool(std::string_view line)>& visit) {
    const auto file = open_to_read(path);
    if (!file) return tl::unexpected(file.error());
    std::string begun;  // a line whose end is in a piece to come
    bool goes_on = true;
    const auto read = read_pieces(*file, [&](std::string_view piece) {
        for (std::size_t end; goes_on && (end = piece.find('\n')) != std::string_view::npos;
             piece.remove_prefix(end + 1)) {
            begun += piece.substr(0, end);
            goes_on = visit(begun);
            begun.clear();
        }
        if (goes_on) begun += piece;
        return goes_on;
    });
    if (read && goes_on && !begun.empty()) visit(begun);
    return read;
}

Fd open_own_file(const std::filesystem::path& path, int at) {
    const Place place = find_file(path, at);
    if (!place.found) throw SystemError("open", path.native(), ENOENT);
    if (!S_ISREG(place.status.st_mode)) throw SystemError("open", path.native(), EINVAL);
    require_trusted(place, path.native(), "read");
    return open_found(place, path.native(), O_RDONLY | O_NONBLOCK);
}

std::string read_own_file(const std::filesystem::path& path, int at) {
    return must(read_all(open_own_file(path, at)), "read", path.native());
}

void remove_unfinished() {
    const int folder = std::exchange(under_way.folder, -1);
    if (folder >= 0) unlinkat(folder, under_way.name.data(), 0);
}

void write_all(int fd, std::string_view text, std::string_view name) {
    while (!text.empty()) {
        const ssize_t wrote = write(fd, text.data(), text.size());
        if (wrote < 0 && errno == EINTR) continue;
        // Whoever started this has made its standard output one that does not wait.
        pollfd room{fd, POLLOUT, 0};
        if (wrote < 0 && errno == EAGAIN && retried([&] { return poll(&room, 1, -1); }) == 1) continue;
        must(wrote, "write", name);
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
}

void replace_file(const std::filesystem::path& path, std::string_view text, int at) {
    (void)replace_file(
        path, [&](const Put& put) { put(text); }, at);
}

std::optional<struct stat> replace_file(const std::filesystem::path& path, const Pieces& pieces, int at) {
    const auto write_to = [&](int fd, std::string_view name) {
        pieces([&](std::string_view piece) { write_all(fd, piece, name); });
        return std::nullopt;
    };
    if (path == "-") return write_to(STDOUT_FILENO, kStandardOutput);
    const Place place = find_output(path, at);
    if (place.descriptor) return write_to(*place.descriptor, path.native());
    if (is_written_in_place(place)) return write_to(open_in_place(place, path.native()).get(), path.native());
    Temporary temporary(place, path.native());
    pieces([&](std::string_view piece) { temporary.write(piece); });
    return temporary.take_its_place();
}

void check_writable(const std::filesystem::path& path, int at) {
    if (path == "-") return;
    const Place place = find_output(path, at);
    if (place.descriptor) return check_open(*place.descriptor, path.native());
    if (is_written_in_place(place)) {
        // Whoever reads a pipe that is opened and closed takes that for the end of the text.
        if (S_ISFIFO(place.status.st_mode)) {
            must(faccessat(place.folder.get(), place.name.c_str(), W_OK, AT_EACCESS), "open", path.native());
        } else {
            (void)open_in_place(place, path.native());
        }
        return;
    }
    const Temporary temporary(place, path.native());
    if (place.found) check_renamable(place, path.native());
}

void remove_leftovers(const Fd& folder) {
    DIR* const names = fdopendir(openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (names == nullptr) return;
    struct stat own {};
    const bool is_shared = fstat(folder.get(), &own) != 0 || can_be_written_by_others(own);
    while (const dirent* const entry = readdir(names)) {
        if (!is_part(entry->d_name)) continue;
        struct stat left {};
        if (fstatat(folder.get(), entry->d_name, &left, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (is_shared && left.st_uid != geteuid()) continue;
        // A folder is what check_renamable() was killed with.
        if (unlinkat(folder.get(), entry->d_name, 0) != 0)
            unlinkat(folder.get(), entry->d_name, AT_REMOVEDIR);
    }
    closedir(names);
}

void try_write(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t wrote = retried([&] { return write(fd, text.data(), text.size()); });
        if (wrote <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
}

}  // namespace nsb::sys
