#include "core/repeats.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <functional>

#include "core/text.h"

namespace nsb {
namespace {

/// With n - 1; of two values at least.
double deviation_of(std::span<const double> values) {
    const double mean = mean_of(values);
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

/// Of any figure that a reader takes (scripts/analysis/files.py). The interval of two repeats that lie far
/// apart reaches beyond it.
constexpr double kLargest = 0x1p64;

/// That of the values' geometric mean; of their mean where one of them is 0.
std::optional<Interval> times_interval(std::vector<double> values) {
    if (std::ranges::any_of(values, [](double value) { return value <= 0; })) return mean_interval(values);
    for (double& value : values) value = std::log(value);
    const auto logs = mean_interval(values);
    if (!logs) return std::nullopt;
    return Interval{std::exp(logs->low), std::exp(logs->high)};
}

void widen(std::optional<Interval>& interval, double value) {
    if (interval) interval = Interval{std::min(interval->low, value), std::max(interval->high, value)};
}

std::vector<double> each(std::span<const Figures> all, double Figures::*member) {
    std::vector<double> values;
    for (const Figures& one : all) values.push_back(one.*member);
    return values;
}

/// Of all samples: their mean and standard deviation from those of each repeat.
void pool(std::span<const Figures> repeats, Figures& all) {
    double sum = 0;
    double squares = 0;
    for (const Figures& one : repeats) {
        all.samples += one.samples;
        sum += one.mean * static_cast<double>(one.samples);
    }
    all.mean = sum / static_cast<double>(all.samples);
    for (const Figures& one : repeats) {
        const auto n = static_cast<double>(one.samples);
        squares += (n - 1) * one.stddev * one.stddev + n * (one.mean - all.mean) * (one.mean - all.mean);
    }
    all.stddev = all.samples > 1 ? std::sqrt(squares / static_cast<double>(all.samples - 1)) : 0;
}

Figures combine(std::span<const Figures> repeats) {
    Figures all;
    pool(repeats, all);
    all.median = median(each(repeats, &Figures::median));
    all.p90 = median(each(repeats, &Figures::p90));
    all.p99 = median(each(repeats, &Figures::p99));
    all.min = std::ranges::min(each(repeats, &Figures::min));
    all.max = std::ranges::max(each(repeats, &Figures::max));
    for (const Figures& one : repeats) {
        all.outliers_mild += one.outliers_mild;
        all.outliers_severe += one.outliers_severe;
    }
    all.ci = times_interval(each(repeats, &Figures::median));
    widen(all.ci, all.median);
    if (all.ci && all.ci->high > kLargest) all.ci.reset();
    if (all.ci && all.median > 0) all.precision = (all.ci->high - all.ci->low) / 2 / all.median;
    return all;
}

std::optional<Delta> combine(std::span<const Delta> repeats) {
    if (repeats.empty()) return std::nullopt;
    std::vector<double> values;
    for (const Delta& one : repeats) values.push_back(one.value);
    Delta all{median(values), mean_interval(values), std::nullopt, repeats.front().base};
    widen(all.ci, all.value);
    return all;
}

void judge(Row& row, double target) {
    const Figures& figures = *row.figures;
    if (figures.precision && *figures.precision <= target) return;
    row.status = Status::imprecise;
    row.reason = row.repeats < 2 ? fmt::format("an interval needs 2 repeats, there was {}", row.repeats)
                 : !figures.ci   ? "the repeats lie too far apart for an interval"
                 : !figures.precision
                     ? "a median of 0 has no relative precision"
                     : fmt::format("{}, between repeats", reached_of(*figures.precision, target));
}

/// One row of each repeat, all of the same case and phase.
Row combine(std::span<const std::reference_wrapper<const Row>> rows, double target) {
    for (const Row& row : rows) {
        if (row.status != Status::failed) continue;
        Row failed = row;
        failed.reason = fmt::format("in one of {} repeats: {}", rows.size(), failed.reason);
        return failed;
    }
    std::vector<Figures> figures;
    std::vector<Delta> deltas;
    for (const Row& row : rows) {
        if (row.figures) figures.push_back(*row.figures);
        if (row.delta) deltas.push_back(*row.delta);
    }
    Row all = rows.front();
    if (figures.empty()) return all;  // skipped, by whatever the first one says
    all.status = Status::ok;
    all.error.clear();
    all.reason.clear();
    all.position.reset();
    all.figures = combine(figures);
    all.delta = combine(deltas);
    all.repeats = figures.size();
    all.scatter = scatter_of(figures);
    judge(all, target);
    return all;
}

}  // namespace

std::optional<Interval> mean_interval(std::span<const double> values) {
    if (values.size() < 2) return std::nullopt;
    const double half = reach_of(values.size()) * deviation_of(values);
    const double mean = mean_of(values);
    return Interval{mean - half, mean + half};
}

double reach_of(std::size_t values) {
    const auto n = static_cast<double>(values);
    const boost::math::students_t_distribution<double> student(n - 1);
    return boost::math::quantile(boost::math::complement(student, 0.025)) / std::sqrt(n);
}

std::string_view to_string(Ruling ruling) {
    static constexpr std::array<std::string_view, 2> kNames{"between", "within"};
    return kNames.at(static_cast<std::size_t>(ruling));
}

std::optional<double> scatter_of(std::span<const Figures> repeats) {
    if (repeats.size() < 2) return std::nullopt;
    double variances = 0;
    for (const Figures& one : repeats) {
        if (!one.error) return std::nullopt;
        variances += *one.error * *one.error;
    }
    const double within = std::sqrt(variances / static_cast<double>(repeats.size()));
    const double whole = deviation_of(each(repeats, &Figures::median));
    if (within == 0 && whole == 0) return std::nullopt;
    return whole / within;
}

Ruling ruling(double scatter) {
    return scatter * scatter > 2 ? Ruling::between : Ruling::within;
}

std::vector<Row> combine_repeats(std::span<const std::vector<Row>> repeats, double target_precision) {
    std::vector<Row> all;
    if (repeats.empty()) return all;
    if (repeats.size() == 1) {
        all = repeats.front();
        for (Row& row : all) row.repeats = row.figures ? 1 : 0;
        return all;
    }
    for (const Row& first : repeats.front()) {
        std::vector<std::reference_wrapper<const Row>> same;
        for (const std::vector<Row>& rows : repeats) {
            const auto at = std::ranges::find_if(rows, [&](const Row& row) {
                return row.measured == first.measured && row.phase == first.phase;
            });
            if (at != rows.end()) same.emplace_back(*at);
        }
        all.push_back(combine(same, target_precision));
    }
    return all;
}

RulingCount count_ruling(std::span<const Row> rows) {
    RulingCount count;
    std::vector<double> scatters;
    for (const Row& row : rows) {
        if (row.repeats < 2) continue;
        if (!row.scatter) {
            ++count.unknown;
            continue;
        }
        ++(ruling(*row.scatter) == Ruling::between ? count.between : count.within);
        scatters.push_back(*row.scatter);
    }
    if (!scatters.empty()) count.typical = median(std::move(scatters));
    return count;
}

}  // namespace nsb
