// Phases, as the table of phases.def.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/kinds.h"

namespace nsb {

/// A part of a sample with its own time, in the order of the table's columns.
enum class Phase : std::uint8_t {
#define NSB_PHASE(identifier, ...) identifier,
#include "core/phases.def"
#undef NSB_PHASE
};

struct PhaseInfo {
    std::string_view name;
    std::string_view meaning;
    KindSet needs{};  ///< a case has the phase only where its set has all of these
    Phase lies_in;    ///< in operations that have both: within it, or overlapping; itself: no part of total
};

inline constexpr auto kPhaseTable = std::to_array<PhaseInfo>({
#define NSB_PHASE(identifier, name, of, lies_in, needs, meaning) {name, meaning, needs, Phase::lies_in},
#include "core/phases.def"
#undef NSB_PHASE
});
inline constexpr std::size_t kPhases = kPhaseTable.size();

constexpr const PhaseInfo& info(Phase phase) {
    return kPhaseTable[static_cast<std::size_t>(phase)];
}

}  // namespace nsb
