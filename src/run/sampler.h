// nsbench's end of the protocol to the samplers.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "core/capabilities.h"
#include "core/case.h"
#include "core/protocol.h"
#include "sys/process.h"
#include "sys/runtime_cgroups.h"

namespace nsb::run {

/// A running sampler. When it crashes, hangs or is killed, the block it was at fails and a new one is
/// started.
class Sampler {
  public:
    /// What it is for: the operations that are timed in it; the same, with others that share its mm
    /// (bench/workers.h); or starting other programs in a sandbox (bench/sandbox.h).
    enum class Purpose : std::uint8_t { operations, threads, runtimes };

    /// `cpu`: the one it and its children are pinned to; where that has gone once a run is under way, they
    /// are not until it is back. `keep`: the capabilities that it may keep. Throws sys::SystemError, and
    /// std::runtime_error where the program is of another build.
    Sampler(std::filesystem::path program, std::optional<int> cpu, Purpose purpose = Purpose::operations,
            Capabilities keep = kAllCapabilities);
    Sampler(Sampler&&) noexcept = default;
    Sampler& operator=(Sampler&&) = delete;
    ~Sampler();

    /// Asks for a block. What cannot be sent for a second fails in receive(). `barrier`: where the samplers
    /// that are asked for it at once wait for each other; none where it is this one alone.
    void send(const protocol::Request& request, const sys::Fd& barrier = sys::Fd());

    /// What the next request needs beside itself.
    void set_job(const protocol::RuntimeJob& job) { memory_->job = job; }

    /// What a runtime that failed in the request sent last said, in printable characters.
    [[nodiscard]] std::string said() const;

    /// What a runtime did in an untimed start, where the request sent last made one.
    [[nodiscard]] std::optional<protocol::Counts> counts() const {
        const protocol::RuntimeJob& job = memory_->job;
        return job.is_counted ? std::optional(job.counts) : std::nullopt;
    }

    /// The samples of the request sent last. A sampler that ends, or does not answer within `limit`, is
    /// replaced, and the result is one sample that failed with ECHILD or ETIMEDOUT, or with EPROTO where it
    /// answered what no sampler does. Where the request could
    /// not be sent, it is one with the errno of that.
    std::vector<protocol::Record> receive(std::chrono::nanoseconds limit);

    /// Of those that share one mm: tells each its CPU, of all that the next request is for. Without one it
    /// runs wherever it may.
    void set_workers(std::size_t count, std::span<const int> cpus);
    /// The samples of each of them, with receive(): the first one's alone where it failed to begin with them.
    std::vector<std::vector<protocol::Record>> receive_all(std::chrono::nanoseconds limit);
    /// What the others have taken, of all blocks until now: that of the first is used().
    [[nodiscard]] std::span<const protocol::Usage> used_by_others() const { return others_; }

    /// Zeros where /proc does not show it.
    struct Footprint {
        std::uint64_t resident_bytes;
        std::size_t mappings;
    };
    [[nodiscard]] Footprint footprint() const;
    [[nodiscard]] pid_t pid() const { return process_->pid(); }
    /// What it may do; nothing where it did not say so.
    [[nodiscard]] const std::optional<protocol::Privilege>& privilege() const { return privilege_; }

    /// Blocks at whose end it was not held to its CPU, or was replaced and could not be. It is held to it
    /// again then, unless that is gone.
    [[nodiscard]] std::uint64_t moved() const { return moved_; }

    /// What it has taken with its children until its last answer, and those that it replaced.
    [[nodiscard]] protocol::Usage used() const {
        return {before_.ran_us + used_.ran_us, before_.preempted + used_.preempted};
    }

  private:
    void start();
    void greet();
    /// Where a CPU goes offline the kernel lets who was pinned to it run on the others, and leaves it at that
    /// (select_fallback_rq in kernel/sched/core.c); so it does where a cpuset loses the CPU.
    void hold_to_cpu();
    void stop();
    void unmap();
    [[nodiscard]] std::size_t memory_size() const;
    [[nodiscard]] protocol::SharedMemory& window(std::size_t worker) const;
    std::vector<protocol::Record> replaced(int error);

    std::filesystem::path program_;
    std::optional<int> cpu_;
    Purpose purpose_;
    Capabilities keep_;
    std::optional<protocol::Privilege> privilege_;
    sys::Fd memory_file_;
    protocol::SharedMemory* memory_ = nullptr;
    sys::Fd socket_;
    std::optional<sys::Process> process_;
    std::unique_ptr<sys::RuntimeCgroups> cgroups_;  ///< removed here where their watcher was killed
    std::size_t workers_ = 1;                       ///< that the next request is for
    std::vector<protocol::Usage> others_;           ///< by worker, from the second on
    std::uint32_t sequence_ = 0;
    int unsent_ = 0;  ///< why the request could not be sent
    std::uint64_t moved_ = 0;
    protocol::Usage used_{}, before_{};
};

/// Neither root nor a user namespace, or no /proc of one's own: nothing can be measured here. what() says
/// what would change that.
class NotPermitted : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A barrier for one block. Throws sys::SystemError.
sys::Fd make_barrier();

/// The sampler's program: beside nsbench, or where it is installed. Throws std::runtime_error naming both
/// places, NotPermitted where /proc does not show this process.
std::filesystem::path find_sampler();

}  // namespace nsb::run
