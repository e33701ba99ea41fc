// What the place of a sample among its case's samples says: whether a case changes itself as it goes on.
#pragma once

#include <optional>
#include <span>
#include <vector>

namespace nsb {

/// Counted samples in the order in which they were taken, told apart as the first fifth, the steady middle
/// and the last fifth. Units are those of the samples.
struct Position {
    double explained;  ///< of the variance, 0 to 1: by which of the three a sample belongs to, beyond what
                       ///< chance does
    double first, steady, last;  ///< medians
};

/// Above this, position explains more than all else together.
inline constexpr double kMuchExplained = 0.5;

/// `machines`: the samples of each. Each is taken relative to its own mean, since a machine's level is no
/// position. Nothing where one has fewer than ten samples.
std::optional<Position> position_of(std::span<const std::vector<double>> machines);

}  // namespace nsb
