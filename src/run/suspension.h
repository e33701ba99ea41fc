// Whether the machine was suspended between two moments.
#pragma once

#include <cstdint>

namespace nsb::run {

/// Between which values, in µs, the time lies by which CLOCK_MONOTONIC, that stands still while the machine
/// is suspended, is behind CLOCK_BOOTTIME: the two are read one after the other.
struct Lag {
    std::int64_t least, most;

    static Lag now();
};

/// For how long the machine was suspended between two of them, at least, in µs.
std::int64_t suspended_between(const Lag& first, const Lag& last);

}  // namespace nsb::run
