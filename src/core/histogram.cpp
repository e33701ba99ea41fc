#include "core/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace nsb {
namespace {

/// The number of the value, from 1 on in ascending order, that is the quantile.
std::uint64_t rank_of(double q, std::uint64_t count) {
    const double rank = std::ceil(q * static_cast<double>(count));
    return std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::max(rank, 0.0)), 1, count);
}

}  // namespace

std::size_t Histogram::bucket_of(std::uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > kBits + 1 ? width - (kBits + 1) : 0;
    return (std::size_t{shift} << kBits) + static_cast<std::size_t>(value >> shift);
}

std::uint64_t Histogram::end_of(std::size_t bucket) {
    const std::size_t power = bucket >> kBits;
    const std::size_t shift = power == 0 ? 0 : power - 1;
    const std::uint64_t leading = bucket - (shift << kBits);
    // Of the last bucket of all this is 2^64 - 1: the sum wraps to 0 first.
    return ((leading + 1) << shift) - 1;
}

void Histogram::add(std::uint64_t value) {
    ++counts_[bucket_of(value)];
    ++count_;
    max_ = std::max(max_, value);
}

void Histogram::add(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
    std::ranges::fill(counts_, 0);
    count_ = max_ = 0;
}

std::optional<std::uint64_t> Histogram::quantile(double q) const {
    if (count_ == 0) return std::nullopt;
    const std::uint64_t rank = rank_of(q, count_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        seen += counts_[i];
        if (seen >= rank) return std::min(end_of(i), max_);
    }
    return max_;
}

Latencies latencies_of(const Histogram& histogram) {
    if (histogram.count() == 0) return {};
    const auto at = [&](double q) { return *histogram.quantile(q); };
    return {histogram.count(), at(0.5), at(0.9), at(0.99), at(0.999), histogram.max()};
}

Latencies latencies_of(std::vector<std::uint64_t> times) {
    if (times.empty()) return {};
    std::ranges::sort(times);
    const auto at = [&](double q) { return times[rank_of(q, times.size()) - 1]; };
    return {times.size(), at(0.5), at(0.9), at(0.99), at(0.999), times.back()};
}

}  // namespace nsb
