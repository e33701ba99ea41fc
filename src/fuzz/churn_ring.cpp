#include "run/churn_ring.h"

#include <array>

#include "core/load.h"
#include "fuzz/bytes.h"
#include "fuzz/target.h"

namespace nsb::fuzz {

void churn_ring(std::string_view input) {
    Bytes bytes(input);
    std::array<churn::Record, 16> ring{};
    auto read = bytes.take<std::uint64_t>();
    const std::uint64_t written = read + bytes.take<std::uint8_t>();
    for (churn::Record& record : ring) record = bytes.take<churn::Record>();
    Tally tally;
    std::uint64_t visited = 0;
    const std::uint64_t unread = run::each_new(ring, read, written, [&](const churn::Record& record) {
        ++visited;
        tally.add(record);
    });
    must_hold(read == written && visited <= ring.size(), "a ring is read to its end");
    must_hold(unread == 0 || visited == 0, "what was written over is told");
    must_hold(count_of(tally.errors) + tally.latency.count() == visited, "each operation is counted once");
    (void)latencies_of(tally.latency);
    (void)latencies_of(tally.service);
    (void)to_string(tally.errors);
}

}  // namespace nsb::fuzz
