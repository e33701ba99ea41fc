// The second process of `nsbench doctor --prepare`: it puts the machine back where the first one cannot any
// more.
#pragma once

#include <sys/types.h>

#include "env/preparation.h"
#include "sys/fd.h"

namespace nsb::env {

/// A child that waits for the end of this process, told by the end of a pipe that this one alone can write
/// to. The child has all descriptors that do not close with that, such as a lock.
class Watcher {
  public:
    /// Starts it with a copy of `preparation`, in a session of its own: it minds no terminal, and no signal
    /// that can be ignored. Errors: those of pipe2(2) and fork(2).
    static sys::Result<Watcher> start(const Preparation& preparation);

    /// Its number, a child to be waited for.
    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Tells it that all is back, and waits for its end.
    void dismiss();

  private:
    Watcher(pid_t pid, sys::Fd life) : pid_(pid), life_(std::move(life)) {}
    pid_t pid_;
    sys::Fd life_;
};

}  // namespace nsb::env
