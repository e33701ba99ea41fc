#include <array>

#include "fuzz/bytes.h"
#include "fuzz/target.h"
#include "sys/trace_record.h"

namespace nsb::fuzz {

void perf_ring(std::string_view input) {
    Bytes bytes(input);
    std::array<sys::TraceFormat, 2> formats{};
    for (sys::TraceFormat& format : formats)
        format = {bytes.take<std::uint16_t>(), bytes.take<std::uint16_t>() % sys::kMostOfRecord};
    const auto tail = bytes.take<std::uint64_t>();
    const auto head = tail + bytes.take<std::uint16_t>();
    std::array<char, 4096> ring{};
    bytes.fill(ring.data(), ring.size());
    std::size_t records = 0;
    (void)sys::each_record(ring, tail, head,
                           [&](const perf_event_header& header, std::span<const char> body) {
                               ++records;
                               must_hold(body.size() < header.size, "a body is smaller than its record");
                               (void)sys::lost_of(body);
                               if (const auto event = sys::event_of(body, formats))
                                   must_hold(event->spec < formats.size(), "an event is of a tracepoint");
                           });
    must_hold(records <= ring.size() / sizeof(perf_event_header), "a ring has no more records than room");
}

}  // namespace nsb::fuzz
