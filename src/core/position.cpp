#include "core/position.h"

#include <algorithm>
#include <array>

#include "core/statistics.h"

namespace nsb {
namespace {

constexpr std::size_t kParts = 5;
constexpr std::size_t kLeast = 10;  // samples of a machine: of fewer, noise alone explains much

}  // namespace

std::optional<Position> position_of(std::span<const std::vector<double>> machines) {
    std::array<std::vector<double>, 3> groups;  // first, steady, last
    std::array<double, 3> sums{};               // of differences to the machine's mean
    double total = 0;                           // of their squares
    for (const std::vector<double>& samples : machines) {
        if (samples.size() < kLeast) return std::nullopt;
        const std::size_t fifth = samples.size() / kParts;
        const double mean = mean_of(samples);
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const std::size_t group = i < fifth ? 0 : i < samples.size() - fifth ? 1 : 2;
            groups[group].push_back(samples[i]);
            sums[group] += samples[i] - mean;
            total += (samples[i] - mean) * (samples[i] - mean);
        }
    }
    if (machines.empty()) return std::nullopt;
    double between = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        between += sums[i] * sums[i] / static_cast<double>(groups[i].size());
    }
    // Three groups explain some of any variance; what they would of noise is taken off (epsilon squared,
    // Kelley 1935).
    const auto count = static_cast<double>(groups[0].size() + groups[1].size() + groups[2].size());
    const double by_chance = (total - between) / (count - static_cast<double>(groups.size())) * 2;
    const double explained = total > 0 ? std::max(0.0, (between - by_chance) / total) : 0;
    return Position{explained, median(groups[0]), median(groups[1]), median(groups[2])};
}

}  // namespace nsb
