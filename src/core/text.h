// Words and numbers as people type them: sizes, times, percentages, and the nearest match of a misspelt name.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace nsb {

std::string to_lower(std::string_view text);
std::vector<std::string> split(std::string_view text, std::string_view separators);

/// "; nearest: 'x'" where one of `names` is close to `word`, else an empty string.
std::string nearest_hint(std::string_view word, std::span<const std::string_view> names);

/// `16K`, `1M`, `64M`, `4096`: bytes, binary multiples. The error says what is accepted.
tl::expected<std::uint64_t, std::string> parse_size(std::string_view text);
/// The shortest of `4096`, `16K`, `1M`, `2G` that is exact.
std::string format_size(std::uint64_t bytes);

/// With what is not printable ASCII escaped: \x01.
std::string printable(std::string_view text);
/// What stands in a file, for a message: printable, in quotes, and cut off where it is long.
std::string shown(std::string_view text);

/// Whether it is a name of letters, digits and . _ - alone.
bool is_name(std::string_view text);

/// No time is as long as this.
inline constexpr double kForeverNs = 1e18;

/// `10s`, `500ms`, `2m`, `1h`: a time above zero. The error says what is accepted.
tl::expected<std::chrono::nanoseconds, std::string> parse_duration(std::string_view text);

/// "2.04% reached of 2%", of fractions: in so many digits as tell one from the other.
std::string reached_of(double reached, double wanted);

inline constexpr double kMostPercent = 100;

/// `2%` as 0.02: above zero, at most kMostPercent.
tl::expected<double, std::string> parse_percentage(std::string_view text);

/// The whole numbers that are accepted somewhere.
struct Range {
    std::uint64_t low, high;
    [[nodiscard]] constexpr bool contains(std::uint64_t value) const { return value >= low && value <= high; }
};

/// A whole number from `low` to `high`.
tl::expected<std::uint64_t, std::string> parse_count(std::string_view text, Range range);
inline tl::expected<std::uint64_t, std::string> parse_count(std::string_view text, std::uint64_t low,
                                                            std::uint64_t high) {
    return parse_count(text, Range{low, high});
}

}  // namespace nsb
