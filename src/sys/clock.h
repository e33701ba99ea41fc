// The clock of every time in nsbench.
#pragma once

#include <cstdint>
#include <ctime>

namespace nsb::sys {

/// CLOCK_MONOTONIC in nanoseconds (vDSO). In a lab guest its nanosecond is one instruction executed.
/// A time namespace shifts it only where offsets were written, which nsbench does not do in what it times.
inline std::uint64_t now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(t.tv_nsec);
}

}  // namespace nsb::sys
