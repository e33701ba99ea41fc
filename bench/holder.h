// A child that keeps its namespaces alive until it is let go, or until the sampler is no more.
#pragma once

#include "block.h"

namespace nsb::bench {

/// A child's whole work, of a sys::Pipe: waits until the other end is closed, of which it has none.
int wait_for_release(void* pipe);

class Holder {
  public:
    /// Makes the child with clone(2), or clone3(2) where the set needs it. It waits at the end of a pipe
    /// whose other end only the sampler has: however the sampler ends, the holder ends with it.
    static tl::expected<Holder, Failure> start(KindSet set, const sys::Stack& stack);

    Holder(Holder&& other) noexcept
        : pid_(std::exchange(other.pid_, -1)), release_(std::move(other.release_)) {}
    Holder& operator=(Holder&&) = delete;
    ~Holder() { (void)release(); }

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Lets the child exit, and reaps it. Its errors are those of waitpid(2).
    Failure release();

    /// Opens /proc/PID/NAME of the child, for an id map. Only where proc_is_ours(): nothing but open(2) is
    /// timed.
    [[nodiscard]] sys::Result<sys::Fd> open_proc(const char* name, int flags) const;

  private:
    Holder(pid_t pid, sys::Fd release) : pid_(pid), release_(std::move(release)) {}
    pid_t pid_;
    sys::Fd release_;
};

}  // namespace nsb::bench
