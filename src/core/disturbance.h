// What disturbed a round, told by what the kernel counted while it was measured, and never by its figures.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nsb {

/// In the order in which they are looked for: a round has the first that applies.
enum class Disturber : std::uint8_t { nothing, suspension, moved, throttling, steal, other_tasks, frequency };

/// What rounds.csv calls it; `nothing` is empty there.
inline constexpr std::array<std::string_view, 7> kDisturberNames{
    "", "suspended", "off its CPU", "throttling", "steal", "other tasks", "frequency"};
constexpr std::string_view to_string(Disturber disturber) {
    return kDisturberNames[static_cast<std::size_t>(disturber)];
}

/// What the kernel counted from a round's begin to its end; absent what cannot be read. Where samplers run on
/// several CPUs, each is that of the CPU, or the sampler, that has most of it. Times are in µs.
struct RoundMarks {
    std::uint32_t round = 0;
    std::int64_t begin = 0;     ///< since 1970, UTC
    std::int64_t duration = 0;  ///< with the waits for teardown
    std::optional<std::int64_t> steal;
    std::optional<std::int64_t> others;          ///< run time of tasks that are neither ours nor the kernel's
    std::optional<std::int64_t> kernel_threads;  ///< run time of the kernel's own: mostly what samples left
    std::optional<std::int64_t> waited;          ///< that a sampler, ready to run, did not run
    std::optional<std::int64_t> switches;        ///< in which a sampler or its children were made to wait
    std::optional<std::int64_t> frequency;       ///< kHz, at the end
    std::optional<std::int64_t> throttles;
    std::optional<std::int64_t> suspended;  ///< that the machine was, which `duration` does not count
    std::optional<std::int64_t> moved;  ///< blocks in which a sampler was taken off the CPU it is pinned to
    Disturber disturbed = Disturber::nothing;
};

/// Where a column of rounds.csv comes from, or why it is empty.
struct MarkerSource {
    std::string_view column;
    std::string from;     ///< files; empty where it is not known
    std::string unknown;  ///< why
};

/// From which share of a round on a time disturbs it, and how far the frequency may be below the median of
/// the run's rounds.
struct DisturbanceRule {
    double steal = 0.01;
    double others = 0.05;
    double waited = 0.05;
    double frequency = 0.10;
    /// /proc/stat counts in ticks of 10 ms: steal is a difference of two readings, and others may be made of
    /// the differences of idle time and of the wait for I/O, each of which is wrong by less than a tick.
    std::int64_t least_steal = 10'000;
    std::int64_t least_others = 20'000;
};
inline constexpr DisturbanceRule kDisturbanceRule;

/// Says of each round what disturbed it.
void label(std::span<RoundMarks> rounds, const DisturbanceRule& rule = kDisturbanceRule);

/// The numbers of those that something disturbed.
std::set<std::uint32_t> disturbed_rounds(std::span<const RoundMarks> rounds);

/// How many each disturber has disturbed, by its name; without those that have none.
std::map<std::string_view, std::size_t> count_by_disturber(std::span<const RoundMarks> rounds);

/// What becomes of the samples of disturbed rounds.
enum class Disturbed : std::uint8_t { keep, drop };
inline constexpr std::array<std::string_view, 2> kDisturbedNames{"keep", "drop"};
constexpr std::string_view to_string(Disturbed disturbed) {
    return kDisturbedNames[static_cast<std::size_t>(disturbed)];
}

}  // namespace nsb
