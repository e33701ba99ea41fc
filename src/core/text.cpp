#include "core/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>

namespace nsb {
namespace {

/// Levenshtein distance: how many letters to change, add or leave out.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t substitute = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({substitute, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

/// The leading number of `text` and what follows it; nothing where there is no number, or one not finite.
std::optional<std::pair<double, std::string_view>> number_and_unit(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || !std::isfinite(value)) return std::nullopt;
    return std::pair{value, text.substr(static_cast<std::size_t>(end - text.data()))};
}

}  // namespace

std::string to_lower(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

std::vector<std::string> split(std::string_view text, std::string_view separators) {
    std::vector<std::string> words;
    for (std::size_t begin = 0;;) {
        const std::size_t end = text.find_first_of(separators, begin);
        words.emplace_back(text.substr(begin, end - begin));
        if (end == std::string_view::npos) return words;
        begin = end + 1;
    }
}

std::string nearest_hint(std::string_view word, std::span<const std::string_view> names) {
    if (word.empty()) return "";
    const std::string lower = to_lower(word);
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const std::string_view name : names) {
        // As many letters as one is longer are left out at least: what is no word at all costs nothing.
        const auto [shorter, longer] = std::minmax({word.size(), name.size()});
        if (longer - shorter >= best_distance) continue;
        const std::size_t d = distance(lower, to_lower(name));
        if (d < best_distance) {
            best = name;
            best_distance = d;
        }
    }
    return best.empty() ? "" : fmt::format("; nearest: '{}'", best);
}

tl::expected<std::uint64_t, std::string> parse_size(std::string_view text) {
    const auto refuse = [] { return tl::unexpected<std::string>("a size such as 16K, 1M or 64M"); };
    std::uint64_t value = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, value);
    if (error != std::errc{}) return refuse();
    unsigned shift = 0;
    if (last - end == 1) {
        const auto at = std::string_view("KMGT").find(static_cast<char>(std::toupper(*end)));
        if (at == std::string_view::npos) return refuse();
        shift = 10U * (static_cast<unsigned>(at) + 1U);
    } else if (end != last) {
        return refuse();
    }
    if (value > (UINT64_MAX >> shift)) return refuse();
    return value << shift;
}

std::string format_size(std::uint64_t bytes) {
    static constexpr std::array<std::string_view, 5> kUnits{"", "K", "M", "G", "T"};
    std::size_t unit = 0;
    while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kUnits.size()) {
        bytes /= 1024;
        ++unit;
    }
    return fmt::format("{}{}", bytes, kUnits[unit]);
}

std::string printable(std::string_view text) {
    std::string all;
    for (const char c : text) {
        if (c >= ' ' && c < 0x7F) {
            all += c;
        } else {
            all += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return all;
}

std::string shown(std::string_view text) {
    constexpr std::size_t kMost = 60;
    std::string escaped;
    for (const char c : text.substr(0, kMost)) {
        if (c == '"' || c == '\\') escaped += '\\';
        escaped += c;
    }
    return fmt::format("\"{}\"{}", printable(escaped), text.size() > kMost ? "..." : "");
}

bool is_name(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
    });
}

std::string reached_of(double reached, double wanted) {
    constexpr int kFewest = 3;
    constexpr int kMost = 6;
    constexpr double kThousand = 999.5;  // as three digits round it
    for (int digits = kFewest;; ++digits) {
        const auto percentage = [&](double fraction) {
            const double value = 100 * fraction;
            return value < kThousand ? fmt::format("{:.{}g}%", value, digits) : fmt::format("{:.0f}%", value);
        };
        const std::string of_reached = percentage(reached);
        const std::string of_wanted = percentage(wanted);
        if (of_reached != of_wanted || digits == kMost)
            return fmt::format("{} reached of {}", of_reached, of_wanted);
    }
}

tl::expected<std::chrono::nanoseconds, std::string> parse_duration(std::string_view text) {
    struct Unit {
        std::string_view name;
        double nanoseconds;
    };
    static constexpr std::array<Unit, 6> kUnits{
        {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
    const auto parsed = number_and_unit(text);
    if (parsed && parsed->first > 0) {
        for (const Unit& unit : kUnits) {
            const double nanoseconds = parsed->first * unit.nanoseconds;
            if (parsed->second == unit.name && nanoseconds >= 1 && nanoseconds < kForeverNs) {
                return std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds));
            }
        }
    }
    return tl::unexpected<std::string>("a time above zero with its unit, such as 10s, 500ms or 2m");
}

tl::expected<double, std::string> parse_percentage(std::string_view text) {
    const auto parsed = number_and_unit(text);
    const double fraction = parsed ? parsed->first / 100 : 0;  // may be 0 where the percentage is not
    if (!parsed || parsed->second != "%" || fraction <= 0 || parsed->first > kMostPercent) {
        return tl::unexpected<std::string>("a percentage above 0% and up to 100%, such as 2%");
    }
    return fraction;
}

tl::expected<std::uint64_t, std::string> parse_count(std::string_view text, Range range) {
    std::uint64_t value = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, value);
    if (error != std::errc{} || end != last || !range.contains(value)) {
        return tl::unexpected(fmt::format("a whole number from {} to {}", range.low, range.high));
    }
    return value;
}

}  // namespace nsb
