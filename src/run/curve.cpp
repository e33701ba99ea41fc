#include "run/curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/case.h"
#include "core/text.h"

namespace nsb::run {
namespace {

/// How far a level may be moved to a rounder number, as a share of the distance to the next level.
constexpr double kRoundedBy = 0.15;
/// A level that is whole by itself is as near to one as pow(3) brings it.
constexpr double kWhole = 1e-6;

constexpr std::string_view kForm = "KEY:LOW..HIGH or KEY:LOW..HIGH:STEPS, such as stack:16K..64M";

bool is_number(const ParameterInfo& parameter) {
    return parameter.type != ParameterType::choice;
}

/// What all values are multiples of.
std::uint64_t grain(Parameter parameter) {
    return info(parameter).type == ParameterType::size ? kPage : 1;
}

tl::expected<Parameter, std::string> parse_key(std::string_view key) {
    bool is_choice = false;
    for (std::size_t i = 0; i < kParameters; ++i) {
        if (kParameterTable[i].key != key) continue;
        if (is_number(kParameterTable[i])) return static_cast<Parameter>(i);
        is_choice = true;
    }
    const std::vector<std::string_view> keys = curve_keys();
    if (is_choice) {
        return tl::unexpected(fmt::format(
            "'{}' is a choice, and has no scale: a curve is of {}; --with={}:VALUE,... measures several", key,
            fmt::join(keys, ", "), key));
    }
    return tl::unexpected(fmt::format("'{}' is no parameter that is a number (one of {}){}", key,
                                      fmt::join(keys, ", "), nearest_hint(key, keys)));
}

/// The values between both ends, with them.
std::uint64_t values_between(const Curve& curve) {
    return (curve.high - curve.low) / grain(curve.parameter) + 1;
}

/// The least value that is on a logarithmic scale.
std::uint64_t first_above_zero(const Curve& curve) {
    return std::max(curve.low, grain(curve.parameter));
}

std::uint32_t usual_steps(const Curve& curve) {
    const double decades =
        std::log10(static_cast<double>(curve.high) / static_cast<double>(first_above_zero(curve)));
    const std::uint32_t zero = curve.low == 0 ? 1 : 0;
    const auto wanted = static_cast<std::uint32_t>(std::lround(kStepsADecade * decades)) + 1 + zero;
    const auto most =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(kUsualMostSteps, values_between(curve)));
    return std::clamp(wanted, std::min(kLeastSteps, most), most);
}

tl::expected<Curve, std::string> check_ends(const Curve& curve) {
    const auto text = [&](std::uint64_t value) { return format_value(curve.parameter, value); };
    const std::string_view key = info(curve.parameter).key;
    if (curve.low >= curve.high) {
        return tl::unexpected(
            fmt::format("{} is not below {}: the lower end stands first, as in {}:{}..{}", text(curve.low),
                        text(curve.high), key, text(std::min(curve.low, curve.high)),
                        curve.low == curve.high ? text(info(curve.parameter).high) : text(curve.low)));
    }
    if (values_between(curve) < kLeastSteps) {
        return tl::unexpected(fmt::format("{} to {} has {} values: at least {} levels tell a growth law",
                                          text(curve.low), text(curve.high), values_between(curve),
                                          kLeastSteps));
    }
    return curve;
}

tl::expected<std::uint32_t, std::string> parse_steps(const Curve& curve, std::string_view text) {
    const std::uint64_t most = std::min<std::uint64_t>(kMostSteps, values_between(curve));
    if (const auto steps = parse_count(text, kLeastSteps, most)) return static_cast<std::uint32_t>(*steps);
    return tl::unexpected(
        fmt::format("'{}' steps: accepted are {} to {}{}", text, kLeastSteps, most,
                    most < kMostSteps
                        ? fmt::format(", the values from {} to {}", format_value(curve.parameter, curve.low),
                                      format_value(curve.parameter, curve.high))
                        : std::string(": fewer levels do not tell a growth law")));
}

/// The roundest value near `wanted`, which is within a factor `within` of it; else the nearest.
std::uint64_t rounded(double wanted, double within, Parameter parameter) {
    const std::uint64_t least = grain(parameter);
    const auto nearest = [&](std::uint64_t step) {
        return static_cast<std::uint64_t>(std::llround(wanted / static_cast<double>(step))) * step;
    };
    const auto is_near = [&](std::uint64_t value) {
        const double ratio = static_cast<double>(value) / wanted;
        return ratio <= within && ratio * within >= 1;
    };
    std::uint64_t best = std::max(nearest(least), least);
    if (std::abs(static_cast<double>(best) - wanted) < kWhole) return best;  // 16 of 1, 2, 4, 8, …
    // 2 and 5 in turn, so that steps are 1, 5, 10, 50, …; of sizes 4K, 8K, 16K, …
    const bool is_size = info(parameter).type == ParameterType::size;
    bool by_five = true;
    for (std::uint64_t step = least; static_cast<double>(step) <= wanted * within;
         step *= is_size ? 2 : (by_five ? 5 : 2), by_five = is_size || !by_five) {
        if (is_near(nearest(step))) best = nearest(step);
    }
    return best;
}

}  // namespace

std::vector<std::string_view> curve_keys() {
    std::vector<std::string_view> keys;
    for (const ParameterInfo& parameter : kParameterTable) {
        if (is_number(parameter)) keys.push_back(parameter.key);
    }
    return keys;
}

tl::expected<Curve, std::string> parse_curve(std::string_view text) {
    const std::vector<std::string> parts = split(text, ":");
    const std::size_t dots = parts.size() < 2 ? std::string::npos : parts[1].find("..");
    if (parts.size() > 3 || dots == std::string::npos)
        return tl::unexpected(fmt::format("accepted is {}", kForm));
    const auto parameter = parse_key(parts[0]);
    if (!parameter) return tl::unexpected(parameter.error());
    Curve curve{*parameter};
    for (const auto& [end, word] : {std::pair{&curve.low, parts[1].substr(0, dots)},
                                    std::pair{&curve.high, parts[1].substr(dots + 2)}}) {
        const auto value = parse_value(*parameter, word);
        if (!value) return tl::unexpected(fmt::format("'{}': accepted is {}", word, value.error()));
        *end = *value;
    }
    if (auto checked = check_ends(curve); !checked) return checked;
    curve.steps = usual_steps(curve);
    if (parts.size() == 3) {
        const auto steps = parse_steps(curve, parts[2]);
        if (!steps) return tl::unexpected(steps.error());
        curve.steps = *steps;
    }
    return curve;
}

std::string to_string(const Curve& curve) {
    return fmt::format("{}:{}..{}:{}", info(curve.parameter).key, format_value(curve.parameter, curve.low),
                       format_value(curve.parameter, curve.high), curve.steps);
}

std::vector<std::uint64_t> levels_of(const Curve& curve) {
    const std::uint64_t least = grain(curve.parameter);
    std::vector<std::uint64_t> levels;
    if (curve.low == 0) levels.push_back(0);
    const auto count = static_cast<std::uint32_t>(curve.steps - levels.size());
    const auto first = static_cast<double>(first_above_zero(curve));
    const double ratio = std::pow(static_cast<double>(curve.high) / first, 1.0 / (count - 1));
    const double within = std::pow(ratio, kRoundedBy);
    for (std::uint32_t i = 0; i < count; ++i) {
        // At the lower end whole numbers may be further apart than the scale's levels, and each is another
        // one.
        const std::uint64_t above = levels.empty() ? curve.low : levels.back() + least;
        const std::uint64_t below = curve.high - (count - 1 - i) * least;
        const std::uint64_t wanted =
            i + 1 == count ? curve.high : rounded(first * std::pow(ratio, i), within, curve.parameter);
        levels.push_back(i == 0 ? first_above_zero(curve) : std::clamp(wanted, above, below));
    }
    return levels;
}

}  // namespace nsb::run
