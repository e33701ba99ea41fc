// The thread of the kernel that carries expedited grace periods through, on which the end of a mount
// namespace waits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "env/files.h"

namespace nsb::env {

/// rcu_exp_gp_kthread_worker of kernel/rcu/tree.c. Who waits for a grace period wakes it, and is woken by it:
/// where it runs on another CPU, that one is woken, too.
struct RcuWorker {
    std::string folder;     ///< in /proc
    std::string allowed;    ///< the CPUs that it may run on: "0-3"
    std::string cpu;        ///< that it ran on last
    std::uint64_t started;  ///< in clock ticks since boot
};

/// Nothing where there is none, as in kernels whose workqueues do that, or where /proc does not show it.
std::optional<RcuWorker> rcu_worker(const Root& root);

/// "CPU 3", "last on CPU 1 of 0-3", "none", or kUnknown where /proc does not show the kernel's threads.
std::string rcu_worker_place(const Root& root);

}  // namespace nsb::env
