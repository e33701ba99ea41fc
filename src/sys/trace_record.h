// What the kernel says of a tracepoint, and the records of its events in a ring buffer of perf_event_open(2).
#pragma once

#include <linux/perf_event.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nsb::sys {

/// A tracepoint's number, and where in its record a field is.
struct TraceFormat {
    std::uint32_t id;
    std::size_t offset;
};

struct TraceEvent {
    std::size_t spec;     ///< which of the tracepoints
    std::uint64_t time;   ///< CLOCK_MONOTONIC, ns
    std::uint64_t field;  ///< its field's value
};

/// Of a record, bytes behind its header that are looked at.
inline constexpr std::size_t kMostOfRecord = 4096;

/// As a file events/NAME/format of tracefs has it; nothing where it has no number, no such field, or has it
/// where no record is looked at.
std::optional<TraceFormat> parse_trace_format(std::string_view text, std::string_view field);

/// What the body of a PERF_RECORD_SAMPLE with PERF_SAMPLE_TIME and PERF_SAMPLE_RAW says; nothing where it is
/// of none of these tracepoints.
std::optional<TraceEvent> event_of(std::span<const char> body, std::span<const TraceFormat> formats);

/// How many events a PERF_RECORD_LOST says that the kernel had no room for.
std::uint64_t lost_of(std::span<const char> body);

/// Calls visit(header, body) for each record of a ring from `tail` to `head`, the bytes of one that wraps
/// round put together. False where what stands there is no record: nobody knows where the next one begins.
template <typename Visit>
[[nodiscard]] bool each_record(std::span<const char> ring, std::uint64_t tail, std::uint64_t head,
                               Visit visit) {
    const auto copy = [&](std::uint64_t from, char* to, std::size_t bytes) {
        for (std::size_t i = 0; i < bytes; ++i) to[i] = ring[(from + i) % ring.size()];
    };
    std::array<char, kMostOfRecord> record{};
    while (tail != head) {
        perf_event_header header;
        if (head - tail > ring.size() || head - tail < sizeof header) return false;
        copy(tail, reinterpret_cast<char*>(&header), sizeof header);
        if (header.size < sizeof header || header.size > head - tail) return false;
        const std::size_t body = std::min<std::size_t>(header.size - sizeof header, record.size());
        copy(tail + sizeof header, record.data(), body);
        visit(header, std::span<const char>(record.data(), body));
        tail += header.size;
    }
    return true;
}

}  // namespace nsb::sys
