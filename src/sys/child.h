// Children: made by clone(2) or clone3(2) on a stack of their own, reaped before that stack goes.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "sys/fd.h"

namespace nsb::sys {

/// A child's stack, unmapped by the destructor. Nothing is mapped in the page below it, which was kept free
/// for that, so that a child which grows beyond it ends.
class Stack {
  public:
    /// Pages are touched by nobody before the child, or all of them first (`prefault`).
    static Result<Stack> map(std::size_t bytes, bool prefault);
    Stack(Stack&& other) noexcept
        : mapping_(std::exchange(other.mapping_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Stack& operator=(Stack&& other) = delete;
    ~Stack();

    /// Lowest usable address: what clone3(2) takes.
    [[nodiscard]] void* base() const;
    [[nodiscard]] std::size_t size() const { return bytes_; }
    /// One past the highest address: what clone(2) takes.
    [[nodiscard]] void* top() const;

  private:
    Stack(void* mapping, std::size_t bytes) : mapping_(mapping), bytes_(bytes) {}
    void* mapping_;      // the free page is the first
    std::size_t bytes_;  // without it
};

/// CLONE_EMPTY_MNTNS of clone3(2), beside CLONE_NEWNS: a mount namespace whose root is an empty directory,
/// for good. EINVAL before Linux 7.1.
inline constexpr std::uint64_t kCloneEmptyMntns = 1ULL << 37U;

using ChildMain = int (*)(void* argument);

struct CloneOptions {
    std::uint64_t flags = 0;  ///< CLONE_*, the exit signal left out: it is SIGCHLD
    bool use_clone3 = false;  ///< clone(2) takes no CLONE_NEWTIME: 0x80 lies inside its exit signal
    int* pidfd = nullptr;     ///< where CLONE_PIDFD puts the descriptor (clone3 only)
    int cgroup = -1;          ///< a cgroup's directory for CLONE_INTO_CGROUP (clone3 only)
};

/// Runs `child(argument)` in a new process on `stack`; its return value is the exit status.
/// Errors: those of clone(2) and clone3(2); EINVAL for CLONE_NEWTIME without use_clone3, rather than a child
/// with exit signal 145 and no time namespace, which is what the kernel makes of it up to 7.0.
Result<pid_t> clone_child(const CloneOptions& options, const Stack& stack, ChildMain child, void* argument);

/// fork(2) without the handlers of a C library: 0 in the child.
Result<pid_t> plain_fork();

/// Waits for exactly this child; its wait status. EINTR is retried.
Result<int> reap(pid_t pid);

}  // namespace nsb::sys
