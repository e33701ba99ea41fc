// What times are counted in: the clock that a run's samplers read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nsb {

/// A wall clock, or that of a lab guest, which goes on by one with each instruction executed. Figures of the
/// two are never compared.
enum class TickClock : std::uint8_t { wall, instructions };

struct TickClockInfo {
    std::string_view name;  ///< in options and files
    std::string_view unit;  ///< of a tick
};
inline constexpr std::array<TickClockInfo, 2> kTickClocks{{{"wall", "ns"}, {"instructions", "instructions"}}};

constexpr const TickClockInfo& info(TickClock clock) {
    return kTickClocks[static_cast<std::size_t>(clock)];
}

constexpr std::optional<TickClock> parse_tick_clock(std::string_view name) {
    for (std::size_t i = 0; i < kTickClocks.size(); ++i) {
        if (kTickClocks[i].name == name) return static_cast<TickClock>(i);
    }
    return std::nullopt;
}

/// What is accepted, in words.
inline constexpr std::string_view kTickClockNames = "wall or instructions";
static_assert(kTickClockNames.starts_with(kTickClocks[0].name) &&
              kTickClockNames.ends_with(kTickClocks[1].name));

}  // namespace nsb
