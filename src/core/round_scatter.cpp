#include "core/round_scatter.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

namespace nsb {
namespace {

/// Cosines that are looked at one by one. A level that is correlated by 0.9 has most of its variance in
/// those of at most 16; the rest are as good as alike.
constexpr std::size_t kMostCosines = 16;
/// Of the variance of a value, what all values of its round may have in common.
constexpr std::array kShares{1.0 / 64, 1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1.0};
/// Of that, nothing, one half or all may be the machine's level.
constexpr double kWays = 3;
/// How closely the level may follow that of the round before, as the correlation of an autoregressive
/// process. The medians of rounds had 0.83 on a virtual machine with other load.
constexpr std::array kFollows{0.7, 0.9};
/// Of the share that is common to all rounds; nearly all is where one round has most of the values.
constexpr double kMostCommon = 0.9;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// The variance of a sum with these weights over an autoregressive process of variance 1.
double variance_of_level(const std::vector<double>& weights, double follows) {
    double before = 0;  // what the rounds so far have in common with this one
    double variance = 0;
    for (const double weight : weights) {
        before *= follows;
        variance += weight * (weight + 2 * before);
        before += weight;
    }
    return variance;
}

std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> products(a.size());
    std::ranges::transform(a, b, products.begin(), std::multiplies{});
    return products;
}

}  // namespace

double SumScatter::chance_beyond(double sum) const {
    double chance = 0;
    for (const Part& part : parts_)
        chance += part.chance * std::erfc(std::abs(sum) / (std::numbers::sqrt2 * part.deviation));
    return chance;
}

double SumScatter::limit() const {
    // 1.96 deviations of the part that scatters most hold all others.
    double low = 0;
    double high = 2 * std::ranges::max(parts_, {}, &Part::deviation).deviation;
    for (int i = 0; i < 30; ++i) {
        const double middle = (low + high) / 2;
        (chance_beyond(middle) > 0.05 ? low : high) = middle;
    }
    return high;
}

RoundScatter::RoundScatter(const std::vector<std::int64_t>& sizes)
    : sizes_(sizes.begin(), sizes.end()), values_(std::accumulate(sizes.begin(), sizes.end(), 0.0)) {
    const std::size_t rounds = sizes.size();
    const std::size_t looked_at = std::min(kMostCosines, rounds - 1);
    cosines_.emplace_back(rounds, 1.0);
    for (std::size_t j = 1; j <= looked_at; ++j) {
        std::vector<double>& cosine = cosines_.emplace_back();
        for (std::size_t i = 0; i < rounds; ++i) {
            cosine.push_back(std::numbers::sqrt2 *
                             std::cos(std::numbers::pi * static_cast<double>(j) *
                                      (static_cast<double>(i) + 0.5) / static_cast<double>(rounds)));
        }
    }
    rest_ = static_cast<double>(rounds - 1 - looked_at);

    std::vector<double> of_values;
    std::vector<double> of_rounds;
    std::array<std::vector<double>, kFollows.size()> of_level;
    for (const std::vector<double>& cosine : cosines_) {
        const std::vector<double> weights = product(cosine, sizes_);
        of_values.push_back(dot(cosine, weights));
        of_rounds.push_back(dot(weights, weights));
        for (std::size_t i = 0; i < kFollows.size(); ++i)
            of_level[i].push_back(variance_of_level(weights, kFollows[i]));
    }
    const double squares = dot(sizes_, sizes_);
    const Variances values = with_rest(std::move(of_values), values_);
    const Variances alone = with_rest(std::move(of_rounds), squares);
    add(1, values, 0, alone);
    for (const double share : kShares) add(1.0 / kWays, values, share, alone);
    for (std::vector<double>& variances : of_level) {
        const Variances level = with_rest(std::move(variances), squares);
        const Variances half = sum(alone, 0.5, level, 0.5);
        for (const double share : kShares) {
            add(1.0 / kWays / kFollows.size(), values, share, half);
            add(1.0 / kWays / kFollows.size(), values, share, level);
        }
    }
}

RoundScatter::Variances RoundScatter::with_rest(std::vector<double> of_looked_at, double of_rounds) const {
    if (rest_ == 0) return {std::move(of_looked_at), 1};
    // Those of the sum and of all transforms have the sum of the rounds' variances, times their number.
    const double rest = std::accumulate(of_looked_at.begin(), of_looked_at.end(),
                                        static_cast<double>(sizes_.size()) * of_rounds, std::minus{});
    return {std::move(of_looked_at), rest / rest_};
}

RoundScatter::Variances RoundScatter::sum(const Variances& a, double times_a, const Variances& b,
                                          double times_b) {
    Variances both{a.of_looked_at, times_a * a.of_rest + times_b * b.of_rest};
    for (std::size_t j = 0; j < both.of_looked_at.size(); ++j)
        both.of_looked_at[j] = times_a * a.of_looked_at[j] + times_b * b.of_looked_at[j];
    return both;
}

void RoundScatter::add(double chance, const Variances& of_values, double share, const Variances& in_common) {
    // What a value has alone is not less where others have more in common: rounds that differ by less than
    // independent values do would otherwise look as if they had a level and nothing else.
    Variances variances = sum(of_values, 1, in_common, share);
    double scale = 0;
    for (std::size_t j = 1; j < variances.of_looked_at.size(); ++j)
        scale += std::log(variances.of_looked_at[j]) / 2;
    if (rest_ > 0) scale += rest_ * std::log(variances.of_rest) / 2;
    const double common = share * in_common.of_looked_at[0] / values_ / values_;
    models_.push_back({chance, common, std::move(variances), scale});
}

SumScatter RoundScatter::given(const std::vector<std::int64_t>& sums, double untied) const {
    // What a round of its size has if all are alike is no scatter.
    const double of_each = std::accumulate(sums.begin(), sums.end(), 0.0) / values_;
    std::vector<double> differ(sums.size());
    std::ranges::transform(sums, sizes_, differ.begin(), [&](std::int64_t sum, double size) {
        return static_cast<double>(sum) - of_each * size;
    });
    const double variance = untied > 0 ? untied : 1;  // of a sign; where all are 0, so are the sums
    std::vector<double> squares{0};                   // of the transforms, over that
    double of_rest = static_cast<double>(sums.size()) * dot(differ, differ) / variance;
    for (std::size_t j = 1; j < cosines_.size(); ++j) {
        const double transform = dot(cosines_[j], differ);
        squares.push_back(transform * transform / variance);
        of_rest -= squares.back();
    }
    of_rest = std::max(of_rest, 0.0);

    std::vector<double> likely;  // logarithms
    for (const Model& model : models_) {
        double exponent = of_rest / model.variances.of_rest;
        for (std::size_t j = 1; j < cosines_.size(); ++j)
            exponent += squares[j] / model.variances.of_looked_at[j];
        likely.push_back(std::log(model.chance) - model.scale - exponent / 2);
    }
    const double most = std::ranges::max(likely);
    std::vector<SumScatter::Part> parts;
    double all = 0;
    double common = 0;
    for (std::size_t i = 0; i < models_.size(); ++i) {
        const double chance = std::exp(likely[i] - most);
        all += chance;
        common += chance * models_[i].common;
        parts.push_back({chance, std::sqrt(variance * models_[i].variances.of_looked_at[0])});
    }
    for (SumScatter::Part& part : parts) part.chance /= all;
    return {std::move(parts), std::min(common / all, kMostCommon)};
}

}  // namespace nsb
