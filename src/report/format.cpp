#include "report/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace nsb::report {
namespace {

/// A figure's significant digits, 100 to 999, and the power of ten of the first. fmt rounds a half to the
/// even digit, JavaScript upwards: computed, it is the same everywhere.
struct Rounded {
    std::int64_t digits;
    int exponent;
};

/// Of a figure greater than zero.
Rounded round_to_three(double size) {
    const int exponent = static_cast<int>(std::floor(std::log10(size)));
    const double scaled =
        exponent >= 2 ? size / std::pow(10.0, exponent - 2) : size * std::pow(10.0, 2 - exponent);
    const auto digits = static_cast<std::int64_t>(std::floor(scaled + 0.5));
    return digits >= 1000 ? Rounded{digits / 10, exponent + 1} : Rounded{digits, exponent};
}

/// The digits with so many of them behind the point; fewer than none are zeros before it.
std::string write(std::int64_t digits, int places) {
    if (places <= 0) return fmt::format("{:.0f}", static_cast<double>(digits) * std::pow(10.0, -places));
    return fmt::format("{:.{}f}", static_cast<double>(digits) / std::pow(10.0, places), places);
}

bool has_digits(double value) {
    return value != 0 && std::isfinite(value);
}

std::string_view sign_of(double value) {
    return value < 0 ? "−" : "";
}

}  // namespace

std::string format_ticks(double ticks, const RunIdentity& run) {
    static constexpr std::array<std::string_view, 4> kTimes{" ns", " µs", " ms", " s"};
    static constexpr std::array<std::string_view, 4> kCounts{"", " k", " M", " G"};
    const auto& units = run.clock == TickClock::wall ? kTimes : kCounts;
    if (!has_digits(ticks)) return fmt::format("{:.0f}{}", ticks == 0 ? 0.0 : ticks, units[0]);
    const auto [digits, exponent] = round_to_three(std::abs(ticks));
    const int unit = std::clamp(exponent / 3, 0, static_cast<int>(units.size()) - 1);
    return fmt::format("{}{}{}", sign_of(ticks), write(digits, 2 - (exponent - 3 * unit)),
                       units[static_cast<std::size_t>(unit)]);
}

std::string format_bytes(double bytes) {
    static constexpr std::array<std::string_view, 4> kUnits{"B", "KiB", "MiB", "GiB"};
    if (!has_digits(bytes)) return fmt::format("{:.0f} B", bytes == 0 ? 0.0 : bytes);
    double size = std::abs(bytes);
    std::size_t unit = 0;
    for (; size >= 1024 && unit + 1 < kUnits.size(); ++unit) size /= 1024;
    const auto [digits, exponent] = round_to_three(size);
    return fmt::format("{}{} {}", sign_of(bytes), write(digits, 2 - exponent), kUnits[unit]);
}

std::string format_change(double ratio) {
    if (!(ratio >= 0) || std::isinf(ratio)) return "?";
    if (ratio > 0.5 && ratio < 2) {
        const double percent = std::floor(1000 * std::abs(ratio - 1) + 0.5) / 10;
        return fmt::format("{}{:.1f}%", ratio >= 1 || percent == 0 ? "+" : "−", percent);
    }
    if (ratio == 0) return "×0";
    const auto whole = [ratio](double scale) {
        return static_cast<std::int64_t>(std::floor(ratio * scale + 0.5));
    };
    if (ratio >= 100) return fmt::format("×{}", whole(1));
    if (ratio >= 10) return fmt::format("×{}", write(whole(10), 1));
    if (ratio >= 0.1) return fmt::format("×{}", write(whole(100), 2));
    const auto [digits, exponent] = round_to_three(ratio);
    return fmt::format("×{}", write(digits, 2 - exponent));
}

}  // namespace nsb::report
