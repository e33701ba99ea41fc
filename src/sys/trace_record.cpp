#include "sys/trace_record.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

namespace nsb::sys {
namespace {

// Of a sample: PERF_SAMPLE_TIME, then PERF_SAMPLE_RAW, a size and the tracepoint's own record.
constexpr std::size_t kRaw = sizeof(std::uint64_t) + sizeof(std::uint32_t);

/// The value there; nothing where the body ends before.
template <typename T>
std::optional<T> value_at(std::span<const char> body, std::size_t at) {
    if (at > body.size() || body.size() - at < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, body.data() + at, sizeof value);
    return value;
}

}  // namespace

std::optional<TraceFormat> parse_trace_format(std::string_view text, std::string_view field) {
    const auto number_after = [&](std::string_view label, std::size_t from) -> std::optional<std::uint32_t> {
        const std::size_t at = text.find(label, from);
        std::uint32_t value = 0;
        if (at == std::string_view::npos) return std::nullopt;
        const std::string_view rest = text.substr(at + label.size());
        if (std::from_chars(rest.data(), rest.data() + rest.size(), value).ec != std::errc{})
            return std::nullopt;
        return value;
    };
    const std::size_t place = text.find(fmt::format(" {};", field));
    const auto id = number_after("ID: ", 0);
    const auto offset = place == std::string_view::npos ? std::nullopt : number_after("offset:", place);
    if (!id || !offset || *offset > kMostOfRecord - kRaw - sizeof(std::uint64_t)) return std::nullopt;
    return TraceFormat{*id, *offset};
}

std::optional<TraceEvent> event_of(std::span<const char> body, std::span<const TraceFormat> formats) {
    const auto time = value_at<std::uint64_t>(body, 0);
    const auto type = value_at<std::uint16_t>(body, kRaw);
    const auto format = type ? std::ranges::find(formats, *type, &TraceFormat::id) : formats.end();
    if (!time || format == formats.end()) return std::nullopt;
    const auto field = value_at<std::uint64_t>(body, kRaw + format->offset);
    if (!field) return std::nullopt;
    return TraceEvent{static_cast<std::size_t>(format - formats.begin()), *time, *field};
}

std::uint64_t lost_of(std::span<const char> body) {
    return value_at<std::uint64_t>(body, sizeof(std::uint64_t)).value_or(0);  // after the event's id
}

}  // namespace nsb::sys
