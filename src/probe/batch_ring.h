// The batches that the programs leave in their ring: read in order, each once, and none that is written over
// meanwhile.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bpf/events.h"
#include "core/batch.h"

namespace nsb::probe {

class BatchRing {
  public:
    /// Those that have ended since the last call, of `ended` in all. The namespaces of a batch are counted
    /// where the programs do so (`counts`) and no event was missed since the last look (`is_whole`): one that
    /// was may be of the batch under way, too.
    std::vector<Batch> take(std::span<const nsb_batch, NSB_BATCHES> ring, std::uint64_t ended, bool counts,
                            bool is_whole);

    /// Those that there was no room for.
    [[nodiscard]] std::uint64_t overwritten() const { return overwritten_; }

  private:
    std::uint64_t read_ = 0, overwritten_ = 0;
    bool next_lacks_ = false;
};

}  // namespace nsb::probe
