#include "sys/file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>

#include "sys/error.h"

namespace nsb::sys {
namespace {

bool is_written_in_place(const std::filesystem::path& path) {
    struct stat s {};
    return stat(path.c_str(), &s) == 0 && !S_ISREG(s.st_mode);
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
        fd_ = Fd(static_cast<int>(must(open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666),
                                       "open", path_.native())));
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
    std::string text;
    std::array<char, 1U << 16U> buffer{};
    for (;;) {
        const ssize_t got = read(file->get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return tl::unexpected(errno);
        if (got == 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(got));
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
    if (path == "-") return write_all(STDOUT_FILENO, text, "standard output");
    if (is_written_in_place(path)) {
        const Fd file(
            static_cast<int>(must(open(path.c_str(), O_WRONLY | O_CLOEXEC), "open", path.native())));
        return write_all(file.get(), text, path.native());
    }
    Temporary temporary(beside(path));
    temporary.write(text);
    temporary.rename_to(path);
}

void check_writable(const std::filesystem::path& path) {
    if (path == "-") return;
    if (is_written_in_place(path)) {
        const Fd file(
            static_cast<int>(must(open(path.c_str(), O_WRONLY | O_CLOEXEC), "open", path.native())));
        return;
    }
    const Temporary temporary(beside(path));
}

}  // namespace nsb::sys
