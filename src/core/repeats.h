// Rows of a plan that was measured several times, made one: what is known of a figure from how it comes out
// again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/series.h"
#include "core/statistics.h"

namespace nsb {

/// 95% interval of the mean of independent values, by Student's t. Nothing for fewer than two.
std::optional<Interval> mean_interval(std::span<const double> values);

/// Half of that interval's width for so many values, in standard deviations of a single one: 9.0 for two, 2.5
/// for three, 1.6 for four, 1.2 for five; beyond them little is gained.
double reach_of(std::size_t values);
inline constexpr std::size_t kFewRepeats = 4, kAdvisedRepeats = 5;

/// Which part of the scatter of repeats' medians is the larger one.
enum class Ruling : std::uint8_t { between, within };
std::string_view to_string(Ruling ruling);

/// The standard deviation of repeats' medians over that which the scatter of each one's rounds makes of it,
/// were they independent: what rounds have in common is not within them, and their intervals, which allow for
/// it, would hold too much. Nothing where either is unknown, or both are none.
std::optional<double> scatter_of(std::span<const Figures> repeats);

/// The variance of repeats' medians is that of their rounds and one that repeats add: the second is the
/// larger one where the whole is more than twice the first.
Ruling ruling(double scatter);

/// Rows of the repeats of a plan, each as make_rows() made them, joined by case and phase in the order of the
/// first. A row that failed in one of them has failed. What could not be had in some is made of the others.
///
/// `median`, `delta`, `p90` and `p99` are medians of the repeats' own; the intervals are Student's, of the
/// logarithms of their medians (noise here is a share of the time, and a time is above 0 also where two
/// repeats are all there are) and of their deltas as they are, widened to hold what they are about. `min`,
/// `max`, `mean` and `stddev` are those of all samples; outliers are those of each repeat, added up. One
/// repeat's rows are kept as they are.
std::vector<Row> combine_repeats(std::span<const std::vector<Row>> repeats, double target_precision);

/// How the rows of repeats are ruled.
struct RulingCount {
    std::size_t between = 0, within = 0, unknown = 0;
    std::optional<double> typical;  ///< the median of their scatter_of()
};
RulingCount count_ruling(std::span<const Row> rows);

}  // namespace nsb
