// Times by the million in constant memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace nsb {

/// A histogram of whole numbers whose buckets are at most 1/128 of what is in them wide, as an HDR histogram
/// of two significant digits: 58 KiB, whatever is added. A quantile of it is at most 0.8% too large.
class Histogram {
  public:
    Histogram() : counts_(kBuckets) {}

    void add(std::uint64_t value);
    void add(const Histogram& other);
    void clear();

    [[nodiscard]] std::uint64_t count() const { return count_; }
    /// Exact; 0 where there is nothing.
    [[nodiscard]] std::uint64_t max() const { return max_; }

    /// The least value that at least this share of all are no larger than (the nearest rank), rounded up to
    /// the end of its bucket, and never above max(). Nothing of nothing.
    [[nodiscard]] std::optional<std::uint64_t> quantile(double q) const;

  private:
    static constexpr unsigned kBits = 7;  // of a bucket's number within its power of two
    static constexpr std::size_t kBuckets = std::size_t{64 - kBits + 1} << kBits;
    static std::size_t bucket_of(std::uint64_t value);
    static std::uint64_t end_of(std::size_t bucket);

    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0, max_ = 0;
};

/// What is told of many times; nothing where there are none. In ns.
struct Latencies {
    std::uint64_t count = 0;
    std::uint64_t p50 = 0, p90 = 0, p99 = 0, p999 = 0, max = 0;
};
Latencies latencies_of(const Histogram& histogram);

/// Of few times, exactly; they are sorted.
Latencies latencies_of(std::vector<std::uint64_t> times);

}  // namespace nsb
