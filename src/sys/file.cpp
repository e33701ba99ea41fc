#include "sys/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "sys/error.h"

namespace nsb::sys {
namespace {

/// Where a path leads once its links are followed; the path itself where it leads nowhere yet.
std::filesystem::path followed(const std::filesystem::path& path) {
    std::error_code error;
    std::filesystem::path target = std::filesystem::canonical(path, error);
    return error ? path : target;
}

/// Devices and pipes, and whatever a link in /dev or /proc stands for (/dev/stdout): there is no name to
/// replace.
bool is_written_in_place(const std::filesystem::path& path) {
    for (const char* const special : {"/dev/", "/proc/"}) {
        if (path.native().starts_with(special)) return true;
    }
    struct stat s {};
    return stat(path.c_str(), &s) == 0 && !S_ISREG(s.st_mode);
}

Fd open_in_place(const std::filesystem::path& path) {
    return Fd(
        static_cast<int>(must(open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC), "open", path.native())));
}

std::filesystem::path beside(const std::filesystem::path& path) {
    std::filesystem::path temporary = path;
    temporary += ".part";
    return temporary;
}

/// Removes a file unless told to keep it.
class Temporary {
  public:
    explicit Temporary(std::filesystem::path path) : path_(std::move(path)) {
        // A leftover is removed rather than written to, so that nobody's link is followed.
        unlink(path_.c_str());
        const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        fd_ = Fd(static_cast<int>(must(open(path_.c_str(), flags, 0666), "open", path_.native())));
    }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    ~Temporary() {
        if (!path_.empty()) unlink(path_.c_str());
    }

    void write(std::string_view text) { write_all(fd_.get(), text, path_.native()); }
    void rename_to(const std::filesystem::path& path) {
        must(rename(path_.c_str(), path.c_str()), "rename", path.native());
        path_.clear();
    }

  private:
    std::filesystem::path path_;
    Fd fd_;
};

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path) {
    const auto file = Fd::own(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return tl::unexpected(file.error());
    // Read into the heap: a stack may be as small as 64 KiB (ulimit -s).
    constexpr std::size_t kPiece = 1U << 16U;
    std::string text;
    for (;;) {
        const std::size_t size = text.size();
        text.resize(size + kPiece);
        const ssize_t got = read(file->get(), text.data() + size, kPiece);
        const int error = errno;
        text.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got == 0) return text;
        if (got < 0 && error != EINTR) return tl::unexpected(error);
    }
}

void write_all(int fd, std::string_view text, std::string_view name) {
    while (!text.empty()) {
        const ssize_t wrote = write(fd, text.data(), text.size());
        if (wrote < 0 && errno == EINTR) continue;
        must(wrote, "write", name);
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
}

void replace_file(const std::filesystem::path& path, std::string_view text) {
    if (path == "-") return write_all(STDOUT_FILENO, text, kStandardOutput);
    if (is_written_in_place(path)) return write_all(open_in_place(path).get(), text, path.native());
    const std::filesystem::path target = followed(path);
    Temporary temporary(beside(target));
    temporary.write(text);
    temporary.rename_to(target);
}

void check_writable(const std::filesystem::path& path) {
    if (path == "-") return;
    if (is_written_in_place(path)) {
        (void)open_in_place(path);
    } else {
        const Temporary temporary(beside(followed(path)));
    }
}

void try_write(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t wrote = write(fd, text.data(), text.size());
        if (wrote <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
}

}  // namespace nsb::sys
