// The order of a round.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/case.h"

namespace nsb::run {

/// One block to come: which series, and how many samples of it.
struct PlannedBlock {
    std::size_t series = 0;
    std::uint32_t lead_in = 0;  ///< samples that come first and are not counted
    std::uint32_t samples = 0;
    bool counted = true;  ///< false in the warm-up round
};

/// Blocks in a row, after which the kernel's teardown of their namespaces is waited for.
using Group = std::vector<PlannedBlock>;

/// The heaviest teardown that namespaces of a set leave to the kernel's workers: blocks of one class share a
/// wait, which takes about as long for a few namespaces as for many (net 80 ms, user 58, of the light ones
/// ipc 25 and pid 2).
enum class TeardownClass : std::uint8_t { none, light, user, net };
inline constexpr std::size_t kTeardownClasses = 4;
TeardownClass teardown_class(const Case& c);

/// A random order that depends on `seed` and `round` alone. Cases without asynchronous teardown, and those
/// whose conditions leave namespaces, stand alone; the others are gathered, in random order, into groups of
/// about the same size that leave at most `max_backlog` namespaces behind (or one block).
std::vector<Group> schedule(std::span<const PlannedBlock> planned, std::span<const Case> cases,
                            std::uint64_t seed, std::uint32_t round, std::uint32_t max_backlog);

}  // namespace nsb::run
