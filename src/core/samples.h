// The samples of a case in little room: what is the same for samples that follow each other is kept once, and
// the times are kept by phase.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "core/phase.h"

namespace nsb {

/// A time for each phase of its case, in ticks of the clock.
struct Sample {
    std::uint32_t round = 0;  ///< 0 is the warm-up round
    std::uint32_t block =
        0;                 ///< blocks are numbered through the run, in the order in which they are measured
    bool counted = false;  ///< warm-ups are kept, and enter no figure
    std::array<double, kPhases> times{};
    std::uint32_t machine = 0;  ///< of the lab's saved machines; 0 elsewhere
    std::uint32_t sampler = 0;  ///< of those that carry out a block at the same time; the first is 0
    double ended = 0;           ///< when its sampler was done with it, since the block began; 0: not known

    [[nodiscard]] double time(Phase phase) const { return times[static_cast<std::size_t>(phase)]; }
};

/// Ticks by the sample's number, exactly as they were given: 32 bits for each, until one is no whole number
/// of 32 bits. What was never other than 0 takes no room.
class TickColumn {
  public:
    /// `at` is behind all that were set before.
    void set(std::size_t at, double ticks);
    [[nodiscard]] double operator[](std::size_t at) const {
        if (at < narrow_.size()) return narrow_[at];
        return at < wide_.size() ? wide_[at] : 0;
    }
    /// Only the first `size` stay.
    void cut(std::size_t size);

  private:
    std::vector<std::uint32_t> narrow_;
    std::vector<double> wide_;  // all of them, once one is no whole number of 32 bits
};

/// What samples that follow each other have in common, and their numbers: most often those of one sampler in
/// one block. A drain is what the namespaces of a batch cost, each of its samples the same.
struct Stretch {
    std::uint32_t begin, end;
    std::uint32_t counted;  ///< from this one on they count; `end` where none does
    std::uint32_t round, block, machine, sampler;
    double drain;
};

class Samples {
  public:
    void push_back(const Sample& sample);

    [[nodiscard]] std::size_t size() const { return stretches_.empty() ? 0 : stretches_.back().end; }
    [[nodiscard]] bool empty() const { return stretches_.empty(); }
    [[nodiscard]] Sample operator[](std::size_t at) const;
    [[nodiscard]] Sample back() const { return (*this)[size() - 1]; }
    /// Each as a value, in the order in which they were taken.
    [[nodiscard]] std::vector<Sample> all() const;

    [[nodiscard]] std::span<const Stretch> stretches() const { return stretches_; }
    /// Of a sample of this stretch.
    [[nodiscard]] double time(const Stretch& stretch, Phase phase, std::size_t at) const {
        return phase == Phase::drain ? stretch.drain : times_[static_cast<std::size_t>(phase)][at];
    }
    [[nodiscard]] double ended(std::size_t at) const { return ended_[at]; }

    /// What teardown cost the samples of the blocks with a number above `before`.
    void set_drain(std::uint32_t before, double cost);
    /// Only the first `size` stay.
    void cut(std::size_t size);
    /// None of these rounds counts.
    void leave_out(const std::set<std::uint32_t>& rounds);

  private:
    std::vector<Stretch> stretches_;
    std::array<TickColumn, kPhases> times_;  // drain's is empty: it is the stretches'
    TickColumn ended_;
};

}  // namespace nsb
