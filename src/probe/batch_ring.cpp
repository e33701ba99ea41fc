#include "probe/batch_ring.h"

#include <optional>
#include <utility>

namespace nsb::probe {

std::vector<Batch> BatchRing::take(std::span<const nsb_batch, NSB_BATCHES> ring, std::uint64_t ended,
                                   bool counts, bool is_whole) {
    // One less than there are places: the next may be written to while it is read.
    const std::uint64_t oldest = ended < NSB_BATCHES ? 0 : ended - (NSB_BATCHES - 1);
    if (read_ < oldest) {
        overwritten_ += oldest - read_;
        read_ = oldest;
    }
    std::vector<Batch> taken;
    for (; read_ < ended; ++read_) {
        const nsb_batch& batch = ring[read_ % NSB_BATCHES];
        const bool is_counted = counts && is_whole && !std::exchange(next_lacks_, false);
        taken.push_back(
            {batch.begin, batch.end, is_counted ? std::optional(batch.namespaces) : std::nullopt});
    }
    next_lacks_ = next_lacks_ || !is_whole;
    return taken;
}

}  // namespace nsb::probe
