// The samplers of a run: how many, on which CPUs, and with which privilege.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <vector>

#include "run/runtimes.h"
#include "run/sampler.h"
#include "run/samplers.h"

namespace nsb::run {

class SamplerPool final : public Samplers {
  public:
    /// Starts as many samplers as this plan takes at once, which may do what it needs: the first on `cpu`,
    /// the next on the CPUs after it, or none pinned. Without a plan, which is not known yet, it is one that
    /// may do all. This process keeps off the first one's CPU where there is another. Each block is preceded
    /// by at least `idle` in which nothing is done. Throws sys::SystemError, NotPermitted.
    SamplerPool(std::optional<std::vector<Case>> plan, std::optional<int> cpu, std::chrono::nanoseconds idle);

    /// Starts more samplers, until there are `size`.
    void grow(std::size_t size);

    Answer take(const Case& c, std::uint32_t samples, std::chrono::nanoseconds limit) override;
    [[nodiscard]] bool in_userns() const override { return in_userns_; }

    /// All that there could be; empty where no case of a runtime was taken.
    [[nodiscard]] std::vector<Runtime> runtimes() const {
        return runtimes_ ? runtimes_->all() : std::vector<Runtime>{};
    }

    /// Whether pivot_root(2) cannot leave the root, so that a container's root is moved over it.
    [[nodiscard]] bool root_is_initramfs() const { return root_is_initramfs_; }

    /// The samplers' CPUs; empty where they are not pinned.
    [[nodiscard]] const std::vector<int>& cpus() const { return cpus_; }

    /// The errno by which this process could not be kept off the first one's CPU; nothing where it was, or
    /// there is no other.
    [[nodiscard]] std::optional<int> not_kept_off() const { return not_kept_off_; }

    /// What the samplers may do, but for the one that starts runtimes: nothing where they did not say so.
    [[nodiscard]] const std::optional<protocol::Privilege>& privilege() const {
        return samplers_.front().privilege();
    }

    /// The capabilities that these were to keep.
    [[nodiscard]] Capabilities keep() const { return keep_; }

    [[nodiscard]] std::vector<pid_t> pids() const;

    /// What each sampler, that of the runtimes among them, has taken until its last answer.
    struct Use {
        Sampler::Purpose purpose;
        std::size_t number;      ///< among those of that purpose: it keeps it when its process is replaced
        pid_t pid;               ///< of those that share one mm, that of them all
        std::optional<int> cpu;  ///< none where it is not pinned
        protocol::Usage used;
        std::optional<std::uint64_t> moved;  ///< blocks at whose end it was not held to that CPU, if known
    };
    [[nodiscard]] std::vector<Use> uses() const;

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
    std::vector<Records> carry_out(protocol::Request request, std::span<Sampler> samplers,
                                   std::chrono::nanoseconds limit) const;
    void complete(protocol::Request& request, std::chrono::nanoseconds limit) const;
    Answer take_unwatched(const Case& c, std::uint32_t samples, std::chrono::nanoseconds limit);
    Answer take_threads(protocol::Request request, const Case& c, std::chrono::nanoseconds limit);
    Answer take_runtime(const protocol::Request& request, const Case& c, std::chrono::nanoseconds limit);
    void find_privilege();
    /// Of the plan, in a user namespace or not.
    [[nodiscard]] Capabilities needed_in(bool in_userns) const;
    /// Starts the samplers anew where they keep less than they need.
    void keep_what_is_needed();

    std::filesystem::path program_;
    std::optional<std::vector<Case>> plan_;  // by which they were started
    std::vector<int> allowed_;               // CPUs, before this process kept off the first sampler's
    std::optional<int> cpu_;                 // the first sampler's
    std::chrono::nanoseconds idle_;
    std::vector<Sampler> samplers_;
    std::optional<Sampler> threads_;   // started by the first case of samplers that share one mm
    std::optional<Sampler> launcher_;  // started by the first case of a runtime
    std::optional<Runtimes> runtimes_;
    std::vector<int> cpus_;
    std::optional<int> not_kept_off_;
    bool in_userns_ = false;
    bool root_is_initramfs_ = false;
    Capabilities keep_ = kAllCapabilities;  // the samplers
};

/// How many samplers a plan takes at the same time, at most.
std::size_t most_at_once(const std::vector<Case>& plan);

}  // namespace nsb::run
