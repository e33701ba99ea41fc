// A curve: the values of one number or size that a run goes through, to see how costs grow with it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "core/parameter.h"

namespace nsb::run {

/// As few levels as a growth law can be told from: scripts/analysis/growth.py has the same.
inline constexpr std::uint32_t kLeastSteps = 6;
inline constexpr std::uint32_t kMostSteps = 64;
/// Without STEPS: so many for each tenfold, from kLeastSteps up to this.
inline constexpr double kStepsADecade = 3;
inline constexpr std::uint32_t kUsualMostSteps = 12;

/// `KEY:LOW..HIGH:STEPS`.
struct Curve {
    Parameter parameter{};
    std::uint64_t low = 0, high = 0;
    std::uint32_t steps = 0;

    bool operator==(const Curve&) const = default;
};

/// STEPS may be left out. The error says what is accepted in place of the part that is wrong.
tl::expected<Curve, std::string> parse_curve(std::string_view text);

/// Its inverse, always with STEPS.
std::string to_string(const Curve& curve);

/// The parameters that a curve can be of.
std::vector<std::string_view> curve_keys();

/// Its levels, ascending: LOW and HIGH, and between them as near to a logarithmic scale as values with few
/// digits are (sizes: whole pages, of which few bits are set). Zero, which such a scale has not, stands
/// before the least one.
std::vector<std::uint64_t> levels_of(const Curve& curve);

}  // namespace nsb::run
