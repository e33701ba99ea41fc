// RAII for file descriptors, and the rule for calls that may fail.
#pragma once

#include <cerrno>
#include <tl/expected.hpp>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace nsb::sys {

/// A value, or the errno of the call that did not give it.
template <typename T>
using Result = tl::expected<T, int>;

/// Wraps what a system call returned: -1 becomes its errno.
template <typename T>
[[nodiscard]] Result<T> checked(T value) {
    if (value == static_cast<T>(-1)) return tl::unexpected(errno);
    return value;
}

/// Makes a system call again for as long as signals interrupt it: EINTR is no answer. `call` has its errno.
template <typename SystemCall>
auto retried(SystemCall call) {
    for (;;) {
        const auto returned = call();
        if (returned >= 0 || errno != EINTR) return returned;
    }
}

/// Owns one file descriptor.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

    void reset() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

    /// Owns what an opening call returned, or its errno.
    [[nodiscard]] static Result<Fd> own(long returned) {
        if (returned < 0) return tl::unexpected(errno);
        return Fd(static_cast<int>(returned));
    }

  private:
    int fd_ = -1;
};

/// A pipe whose ends no program inherits.
struct Pipe {
    Fd read_end, write_end;

    [[nodiscard]] static Result<Pipe> make() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) return tl::unexpected(errno);
        return Pipe{Fd(ends[0]), Fd(ends[1])};
    }
};

}  // namespace nsb::sys
