#include "core/statistics.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <cmath>
#include <numbers>
#include <numeric>

namespace nsb {

double quantile(std::span<const double> ascending, double q) {
    const double at = q * static_cast<double>(ascending.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, ascending.size() - 1);
    return ascending[below] + (at - static_cast<double>(below)) * (ascending[above] - ascending[below]);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return quantile(values, 0.5);
}

double mean_of(std::span<const double> values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::optional<Interval> median_interval(std::vector<double> values) {
    if (values.size() < kMinForInterval) return std::nullopt;
    std::sort(values.begin(), values.end());
    // Leaving out the j smallest and largest goes wrong when at most j values fall on one side of the median:
    // the most that may be left out is one below the first number that is too likely.
    namespace math = boost::math;
    using RoundUp =
        math::policies::policy<math::policies::discrete_quantile<math::policies::integer_round_up>>;
    const math::binomial_distribution<double, RoundUp> sides(static_cast<double>(values.size()), 0.5);
    const std::size_t left_out = static_cast<std::size_t>(math::quantile(sides, 0.025)) - 1;
    return Interval{values[left_out], values[values.size() - 1 - left_out]};
}

std::optional<double> median_error(std::vector<double> values) {
    if (values.size() < kMinForInterval) return std::nullopt;
    std::sort(values.begin(), values.end());
    // The distance of a normal distribution's quartiles is 1.349 standard deviations.
    const double deviation = (quantile(values, 0.75) - quantile(values, 0.25)) / 1.34898;
    return deviation * std::sqrt(std::numbers::pi / 2 / static_cast<double>(values.size()));
}

Figures describe(std::vector<double> values, const std::optional<Interval>& ci,
                 std::optional<double> center) {
    std::sort(values.begin(), values.end());
    const auto n = static_cast<double>(values.size());
    Figures f;
    f.samples = values.size();
    f.median = center.value_or(quantile(values, 0.5));
    f.min = values.front();
    f.max = values.back();
    f.p90 = quantile(values, 0.9);
    f.p99 = quantile(values, 0.99);
    f.mean = mean_of(values);
    double squares = 0;
    for (const double v : values) squares += (v - f.mean) * (v - f.mean);
    f.stddev = values.size() > 1 ? std::sqrt(squares / (n - 1)) : 0;

    const double q1 = quantile(values, 0.25);
    const double q3 = quantile(values, 0.75);
    for (const double v : values) {
        const double beyond = std::max(q1 - v, v - q3);
        if (beyond > 3 * (q3 - q1)) {
            ++f.outliers_severe;
        } else if (beyond > 1.5 * (q3 - q1)) {
            ++f.outliers_mild;
        }
    }

    if (ci) {
        f.ci = Interval{std::min(ci->low, f.median), std::max(ci->high, f.median)};
        if (f.median > 0) f.precision = (f.ci->high - f.ci->low) / 2 / f.median;
    }
    return f;
}

}  // namespace nsb
