#include "probe/batch_ring.h"

#include <vector>

#include "fuzz/bytes.h"
#include "fuzz/target.h"

namespace nsb::fuzz {

void batch_ring(std::string_view input) {
    std::vector<nsb_batch> ring(NSB_BATCHES);
    Bytes bytes(input);
    probe::BatchRing reader;
    std::uint64_t ended = 0;
    std::uint64_t next = 0;
    bool may_lack = false;
    while (!bytes.empty()) {
        const auto more = bytes.take<std::uint16_t>();
        for (std::uint64_t batch = ended; batch < ended + more; ++batch)
            ring[batch % NSB_BATCHES] = {batch, bytes.take<std::uint64_t>(), bytes.take<std::uint8_t>(), 0};
        ended += more;
        const auto how = bytes.take<std::uint8_t>();
        const bool counts = (how & 1U) != 0;
        const bool is_whole = (how & 2U) != 0;
        const std::uint64_t before = reader.overwritten();
        const auto taken =
            reader.take(std::span<const nsb_batch, NSB_BATCHES>(ring), ended, counts, is_whole);
        next += reader.overwritten() - before;
        may_lack = may_lack || !is_whole;
        for (const Batch& batch : taken) {
            must_hold(batch.begin == next++, "each batch is taken once, in its order, or written over");
            must_hold(!batch.namespaces || (counts && !may_lack), "what may lack some is not counted");
            if (is_whole && counts) may_lack = false;
        }
        must_hold(next == ended, "all that ended is taken, or written over");
    }
}

}  // namespace nsb::fuzz
