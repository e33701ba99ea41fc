// The samplers of a run: how many, on which CPUs, and with which privilege.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <vector>

#include "run/runtimes.h"
#include "run/sampler.h"

namespace nsb::run {

/// The samples that one sampler took of a case in a row.
using Block = std::vector<protocol::Record>;

class SamplerPool {
  public:
    /// Starts `size` samplers: the first on `cpu`, the next on the CPUs after it, or none pinned. This
    /// process keeps off the first one's CPU where there is another. Each block is preceded by an idle time
    /// of at least `settle`. Throws sys::SystemError, NotPermitted.
    SamplerPool(std::size_t size, std::optional<int> cpu, std::chrono::nanoseconds settle);

    /// Starts more samplers, until there are `size`.
    void grow(std::size_t size);

    /// A block of `samples` samples from each sampler that the case takes, all at the same time; each ends
    /// early after `limit`, with at least one sample.
    std::vector<Block> take(const Case& c, std::uint32_t samples, std::chrono::nanoseconds limit);

    /// What a runtime that failed in the block taken last said, and its name; empty where none did.
    [[nodiscard]] const std::string& said() const { return said_; }

    /// The runtimes that cases were taken of; absent where none was.
    [[nodiscard]] const std::optional<Runtimes>& runtimes() const { return runtimes_; }

    /// Whether namespaces are made through a user namespace, because that is all that is permitted.
    [[nodiscard]] bool in_userns() const { return in_userns_; }

    /// Whether pivot_root(2) cannot leave the root, so that a container's root is moved over it.
    [[nodiscard]] bool root_is_initramfs() const { return root_is_initramfs_; }

    /// The samplers' CPUs; empty where they are not pinned.
    [[nodiscard]] const std::vector<int>& cpus() const { return cpus_; }

    [[nodiscard]] std::vector<pid_t> pids() const;

    struct Overhead {
        double clock_read;  ///< ticks between two readings of the clock, one after the other
        double loop;        ///< ticks of a turn of the sampler's loop without an operation
        double syscall;     ///< ticks of unshare(0), which goes through traced functions and does nothing
        Sampler::Footprint footprint;
    };
    static constexpr std::uint32_t kCalibrations = 1000;
    /// Medians over a block of nothing, of kCalibrations turns.
    Overhead measure_overhead();

  private:
    std::vector<Block> carry_out(protocol::Request request, std::span<Sampler> samplers,
                                 std::chrono::nanoseconds limit);
    std::vector<Block> take_runtime(const protocol::Request& request, const Case& c,
                                    std::chrono::nanoseconds limit);
    void find_privilege();

    std::filesystem::path program_;
    std::vector<int> allowed_;  // CPUs, before this process kept off the first sampler's
    std::optional<int> cpu_;    // the first sampler's
    std::chrono::nanoseconds settle_;
    std::vector<Sampler> samplers_;
    std::optional<Sampler> launcher_;  // started by the first case of a runtime
    std::optional<Runtimes> runtimes_;
    std::string said_;
    std::vector<int> cpus_;
    bool in_userns_ = false;
    bool root_is_initramfs_ = false;
};

}  // namespace nsb::run
