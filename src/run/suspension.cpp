#include "run/suspension.h"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace nsb::run {
namespace {

std::int64_t time_of(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    const auto since = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    return std::chrono::duration_cast<std::chrono::microseconds>(since).count();
}

}  // namespace

Lag Lag::now() {
    const std::int64_t before = time_of(CLOCK_MONOTONIC);
    const std::int64_t since_boot = time_of(CLOCK_BOOTTIME);
    return {since_boot - time_of(CLOCK_MONOTONIC), since_boot - before};
}

std::int64_t suspended_between(const Lag& first, const Lag& last) {
    // Both are cut off to whole µs.
    constexpr std::int64_t kCut = 2;
    return std::max<std::int64_t>(0, last.least - first.most - kCut);
}

}  // namespace nsb::run
