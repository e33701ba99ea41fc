#include "probe/batch_ring.h"

#include <vector>

#include "fuzz/bytes.h"
#include "fuzz/target.h"

namespace nsb::fuzz {

void batch_ring(std::string_view input) {
    static std::vector<nsb_batch> ring(NSB_BATCHES);
    Bytes bytes(input);
    probe::BatchRing reader;
    std::uint64_t ended = 0, taken = 0;
    while (!bytes.empty()) {
        const auto more = bytes.take<std::uint16_t>();
        for (std::uint64_t batch = ended; batch < ended + more % 8; ++batch)
            ring[batch % NSB_BATCHES] = bytes.take<nsb_batch>();
        ended += more;
        const bool counts = (bytes.take<std::uint8_t>() & 1U) != 0;
        const bool is_whole = (bytes.take<std::uint8_t>() & 1U) != 0;
        for (const Batch& batch :
             reader.take(std::span<const nsb_batch, NSB_BATCHES>(ring), ended, counts, is_whole)) {
            ++taken;
            must_hold(!batch.namespaces || (counts && is_whole), "what may lack some is not counted");
        }
        must_hold(taken + reader.overwritten() == ended, "each batch is taken once, or written over");
    }
}

}  // namespace nsb::fuzz
