// What a program and all that it starts do, counted by the kernel's tracepoints.
#pragma once

#include "block.h"

namespace nsb::bench {

class CallCounter {
  public:
    /// Counts from the next execve(2) of a child of this process on. Needs CAP_PERFMON and tracefs in the
    /// kernel.
    static sys::Result<CallCounter> open();

    /// Of the children that have ended.
    [[nodiscard]] sys::Result<protocol::Counts> read() const;

  private:
    CallCounter() = default;
    sys::Fd events_[protocol::kCounted.size()];
};

}  // namespace nsb::bench
