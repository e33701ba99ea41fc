#include "core/median_interval.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numbers>
#include <numeric>
#include <span>

namespace nsb {
namespace {

/// The most cosines: with more the interval of independent rounds would be narrower by less than a seventh,
/// and the scatter that lasts for a sixteenth of the run or longer would not be in all of them.
constexpr std::size_t kMostCosines = 8;
/// Rounds to a cosine, at least.
constexpr std::size_t kRoundsToACosine = 3;
/// A correlation counts from so many standard deviations of one of independent rounds.
constexpr double kSignificant = 2.5;

/// The sums of each round's signs against a candidate: values below it minus values above it.
class Signs {
  public:
    /// Of ascending values.
    Signs(const std::vector<OfRound>& values, std::size_t rounds) : values_(values), sums_(rounds) {
        for (const OfRound& v : values) --sums_[v.round];
    }

    /// Against the value at that index. Takes as long as the way from the index of the call before, so that
    /// a bisection takes as long as one pass.
    const std::vector<std::int64_t>& against(std::size_t index) {
        const double value = values_[index].value;
        const auto first = std::ranges::lower_bound(values_, value, {}, &OfRound::value);
        const auto end = std::ranges::upper_bound(values_, value, {}, &OfRound::value);
        move(below_, static_cast<std::size_t>(first - values_.begin()));
        move(up_to_, static_cast<std::size_t>(end - values_.begin()));
        return sums_;
    }

    /// Against the median, which may lie between two values.
    const std::vector<std::int64_t>& against_median() {
        const std::size_t upper = values_.size() / 2;
        if (values_.size() % 2 == 1 || values_[upper - 1].value == values_[upper].value)
            return against(upper);
        move(below_, upper);
        move(up_to_, upper);
        return sums_;
    }

  private:
    /// A value counts by one when it is passed by the end of those below, and by one when by that of those up
    /// to the candidate: ties are neither below nor above.
    void move(std::size_t& end, std::size_t to) {
        const std::span<const OfRound> passed =
            std::span(values_).subspan(std::min(end, to), std::max(end, to) - std::min(end, to));
        for (const OfRound& v : passed) sums_[v.round] += to > end ? 1 : -1;
        end = to;
    }

    const std::vector<OfRound>& values_;
    std::vector<std::int64_t> sums_;
    std::size_t below_ = 0, up_to_ = 0;
};

/// The largest correlation of neighbours that any distance between rounds says: at a distance of k rounds an
/// autoregressive process has its k-th power. What is added to the level by each round alone makes it look
/// smaller among neighbours than it is, and less so among distant ones.
double follow(const std::vector<std::int64_t>& sums) {
    const std::size_t n = sums.size();
    const double mean = std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(n);
    std::vector<double> rest;
    for (const std::int64_t sum : sums) rest.push_back(static_cast<double>(sum) - mean);
    const double squares = std::inner_product(rest.begin(), rest.end(), rest.begin(), 0.0);
    double found = kRoundsFollow;
    for (std::size_t apart = 1; squares > 0 && 4 * apart <= n; apart *= 2) {
        const auto distance = static_cast<std::ptrdiff_t>(apart);
        const double correlation =
            std::inner_product(rest.begin() + distance, rest.end(), rest.begin(), 0.0) / squares;
        if (correlation > kSignificant / std::sqrt(n))
            found = std::max(found, std::pow(correlation, 1 / static_cast<double>(apart)));
    }
    return std::min(found, 1 - 2 / static_cast<double>(n));
}

/// How many standard errors a sum of signs may lie from nothing, and of how many cosines those are.
struct Limit {
    std::size_t cosines;
    double errors;
};

/// As many cosines as make the interval of independent rounds shortest: with more of them the t quantile is
/// smaller, but they hold less of what rounds have in common, which the limit makes up for. An
/// autoregressive process has the spectrum 1 / (1 - 2 r cos w + r²); that of a sum is the one at 0.
Limit limit_for(std::size_t rounds, double correlation) {
    Limit best{0, HUGE_VAL};
    double held = 0;
    for (std::size_t j = 1; j <= std::clamp<std::size_t>(rounds / kRoundsToACosine, 1, kMostCosines); ++j) {
        const double w = std::numbers::pi * static_cast<double>(j) / static_cast<double>(rounds);
        held += (1 - correlation) * (1 - correlation) /
                (1 - 2 * correlation * std::cos(w) + correlation * correlation);
        const auto count = static_cast<double>(j);
        const boost::math::students_t t(count);
        const double errors =
            boost::math::quantile(boost::math::complement(t, 0.025)) / std::sqrt(held / count);
        if (errors < best.errors) best = {j, errors};
    }
    return best;
}

/// Whether a candidate can be the median, by the sums of rounds' signs against it.
class Test {
  public:
    Test(const std::vector<std::int64_t>& sizes, const Limit& limit)
        : errors_(limit.errors), values_(std::accumulate(sizes.begin(), sizes.end(), 0.0)) {
        const std::size_t rounds = sizes.size();
        for (std::size_t j = 1; j <= limit.cosines; ++j) {
            std::vector<double>& cosine = cosines_.emplace_back();
            for (std::size_t i = 0; i < rounds; ++i) {
                cosine.push_back(std::cos(std::numbers::pi * static_cast<double>(j) *
                                          (static_cast<double>(i) + 0.5) / static_cast<double>(rounds)));
            }
            sizes_.push_back(std::inner_product(sizes.begin(), sizes.end(), cosine.begin(), 0.0));
        }
    }

    /// How far the sum of all signs may lie from nothing.
    [[nodiscard]] double may_be(const std::vector<std::int64_t>& sums) const {
        // What a round of its size has if all are alike is no scatter: rounds may differ in size.
        const double of_each = std::accumulate(sums.begin(), sums.end(), 0.0) / values_;
        double squares = 0;
        for (std::size_t j = 0; j < cosines_.size(); ++j) {
            const double part =
                std::inner_product(sums.begin(), sums.end(), cosines_[j].begin(), 0.0) - of_each * sizes_[j];
            squares += part * part;
        }
        return errors_ * std::sqrt(2 * squares / static_cast<double>(cosines_.size()));
    }
    [[nodiscard]] bool holds(const std::vector<std::int64_t>& sums) const {
        return std::abs(std::accumulate(sums.begin(), sums.end(), 0.0)) <= may_be(sums);
    }

  private:
    double errors_;
    double values_;
    std::vector<std::vector<double>> cosines_;
    std::vector<double> sizes_;  // the transforms of the rounds' sizes
};

/// The index of a value on the way from the median to the end `to` that cannot be the median, where the one
/// before it can; `to` where there is none. With few rounds there may be several: that which bisecting meets.
std::size_t first_refused(Signs& signs, const Test& test, std::size_t from, std::size_t to) {
    while (std::max(from, to) - std::min(from, to) > 1) {
        const std::size_t between = from < to ? from + (to - from) / 2 : from - (from - to) / 2;
        (test.holds(signs.against(between)) ? from : to) = between;
    }
    return to;
}

}  // namespace

std::optional<Interval> median_interval_of_rounds(std::vector<OfRound> values) {
    if (values.empty()) return std::nullopt;
    const std::size_t rounds = 1 + std::ranges::max(values, {}, &OfRound::round).round;
    if (rounds < kMinForInterval) return std::nullopt;
    std::vector<std::int64_t> sizes(rounds);
    for (const OfRound& v : values) ++sizes[v.round];
    std::ranges::sort(values, {}, &OfRound::value);
    const std::size_t last = values.size() - 1;
    Signs signs(values, rounds);
    const std::vector<std::int64_t>& at_median = signs.against_median();
    const Test test(sizes, limit_for(rounds, follow(at_median)));
    const double share = test.may_be(at_median) / static_cast<double>(values.size()) / 2;
    Interval interval{values[first_refused(signs, test, last / 2, 0)].value,
                      values[first_refused(signs, test, values.size() / 2, last)].value};
    if (share > 0.5) {
        // Rounds differ by so much, and are so few, that the median may lie beyond all of them: the interval
        // goes on as the values do between their quartiles, which are a quarter of all from the median.
        const auto value_at = [&](double q) {
            const double at = q * static_cast<double>(last);
            const auto below = static_cast<std::size_t>(at);
            const double next = values[std::min(below + 1, last)].value;
            return values[below].value + (at - static_cast<double>(below)) * (next - values[below].value);
        };
        const double middle = value_at(0.5);
        interval.low = std::min(interval.low, middle - share / 0.25 * (middle - value_at(0.25)));
        interval.high = std::max(interval.high, middle + share / 0.25 * (value_at(0.75) - middle));
    }
    return interval;
}

}  // namespace nsb
