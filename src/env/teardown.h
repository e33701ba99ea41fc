// The teardown of namespaces that the kernel leaves to its workers: when it is over, and what it cost.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "core/kinds.h"
#include "sys/tracepoint.h"

namespace nsb::env {

/// How many namespaces of each kind a batch of samples has left to the workers.
using Left = std::array<std::uint32_t, kKinds.size()>;

/// What the teardown of a batch was seen to take.
struct Drained {
    bool complete = true;  ///< every worker was seen to finish
    /// Worker time per namespace in ns, waits included, by kind; nothing for a kind that was not seen to
    /// finish.
    std::array<std::optional<double>, kKinds.size()> per_namespace;
};

/// Watches the work items that destroy net, ipc and user namespaces, through the workqueue tracepoints.
class TeardownWatch {
  public:
    static tl::expected<TeardownWatch, sys::Refusal> open();

    /// Forgets what has been seen: a new batch begins.
    void begin();

    /// Waits until the workers are done with `left`, made since begin(), or for `limit`.
    Drained wait(const Left& left, std::chrono::nanoseconds limit);

  private:
    /// One worker function: `cleanup_net`, `free_ipc`, `free_user_ns`.
    struct Worker {
        Kind kind;
        const char* function;
        bool batches;           ///< one work item for all that is queued, rather than one for each namespace
        std::uint64_t address;  ///< of the function
        std::uint32_t queued = 0, running = 0, ended = 0;
        std::int64_t busy = 0;  ///< the sum of the ends less the sum of the starts, so items may overlap

        [[nodiscard]] bool is_done(std::uint32_t left) const;
    };

    TeardownWatch(sys::TracepointReader reader, std::array<Worker, 3> workers)
        : reader_(std::move(reader)), workers_(workers) {}
    void follow();

    sys::TracepointReader reader_;
    std::array<Worker, 3> workers_;
};

}  // namespace nsb::env
