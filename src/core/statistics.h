// Order statistics of samples that are correlated, skewed and heavy-tailed: medians, and what is known of
// them.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace nsb {

struct Interval {
    double low;
    double high;
};

/// The q-quantile (0 to 1) of ascending values, linear between neighbours (R's type 7, numpy's default),
/// which Boost does not have: its quantiles are of distributions, or approximate a stream. At least one
/// value.
double quantile(std::span<const double> ascending, double q);

double median(std::vector<double> values);

/// Of one value at least.
double mean_of(std::span<const double> values);

/// The shortest symmetric pair of order statistics that holds the median of a continuous distribution in at
/// least 95% of cases: the sign test turned round, exact whatever the distribution. Nothing below 6 values,
/// where even the smallest and the largest do not reach 95%. For values that are independent of each other;
/// core/median_interval.h for others.
std::optional<Interval> median_interval(std::vector<double> values);
inline constexpr std::size_t kMinForInterval = 6;

/// The standard error of the median of independent, about normal values, by their quartiles: of the medians
/// of rounds, some of which are far off. Nothing below kMinForInterval values.
std::optional<double> median_error(std::vector<double> values);

/// What a row of results says of its samples. Units are those of the samples.
struct Figures {
    std::size_t samples = 0;
    double median = 0;
    std::optional<Interval> ci;       ///< 95%, of the median
    std::optional<double> precision;  ///< half the interval's width over the median
    double min = 0, mean = 0, stddev = 0, p90 = 0, p99 = 0, max = 0;
    std::size_t outliers_mild = 0;    ///< beyond 1.5 interquartile ranges from the quartiles (Tukey)
    std::size_t outliers_severe = 0;  ///< beyond 3
    std::optional<double> error;      ///< the median's standard error, were rounds independent of each other
};

/// `values` in any order, at least one; `ci` is their median's interval, widened to hold what it is about;
/// `center` is what stands for the values where that is not their own median.
Figures describe(std::vector<double> values, const std::optional<Interval>& ci,
                 std::optional<double> center = std::nullopt);

}  // namespace nsb
