#include "core/median_interval.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <span>

#include "core/round_scatter.h"

namespace nsb {
namespace {

/// Beyond the quartiles the share of values below a candidate says little of where it lies.
constexpr double kQuartile = 0.25;

/// The sums of each round's signs against a candidate: values below it minus values above it.
class Signs {
  public:
    /// Of ascending values.
    Signs(const std::vector<OfRound>& values, std::size_t rounds) : values_(values), sums_(rounds) {
        for (const OfRound& v : values) --sums_[v.round];
    }

    /// Against the value at that index. Takes as long as the way from the index of the call before, so that
    /// a bisection takes as long as one pass.
    void against(std::size_t index) {
        const double value = values_[index].value;
        const auto first = std::ranges::lower_bound(values_, value, {}, &OfRound::value);
        const auto end = std::ranges::upper_bound(values_, value, {}, &OfRound::value);
        move(below_, static_cast<std::size_t>(first - values_.begin()));
        move(up_to_, static_cast<std::size_t>(end - values_.begin()));
    }

    /// Against the median, which may lie between two values.
    void against_median() {
        const std::size_t upper = values_.size() / 2;
        if (values_.size() % 2 == 1 || values_[upper - 1].value == values_[upper].value) {
            against(upper);
        } else {
            move(below_, upper);
            move(up_to_, upper);
        }
    }

    [[nodiscard]] const std::vector<std::int64_t>& sums() const { return sums_; }
    [[nodiscard]] std::int64_t sum() const {
        return static_cast<std::int64_t>(below_ + up_to_) - static_cast<std::int64_t>(values_.size());
    }
    /// The share of the values that are not equal to the candidate.
    [[nodiscard]] double untied() const {
        return 1 - static_cast<double>(up_to_ - below_) / static_cast<double>(values_.size());
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

/// Which candidates can be the median, by the sums of rounds' signs against them.
class Test {
  public:
    Test(const RoundScatter& scatter, double limit) : scatter_(scatter), limit_(limit) {}

    /// Refused is what is too far from even by what is known at the median, and also by what is known at
    /// the candidate itself: rounds with one level or another differ more there.
    [[nodiscard]] bool holds(const Signs& signs) const {
        const auto sum = static_cast<double>(signs.sum());
        return std::abs(sum) <= limit_ ||
               scatter_.given(signs.sums(), signs.untied()).chance_beyond(sum) >= 0.05;
    }

  private:
    const RoundScatter& scatter_;
    double limit_;
};

/// The index of a value on the way from the median to the end `to` that cannot be the median, where the one
/// before it can; `to` where there is none. With few rounds there may be several: that which bisecting meets.
std::size_t first_refused(Signs& signs, const Test& test, std::size_t from, std::size_t to) {
    while (std::max(from, to) - std::min(from, to) > 1) {
        const std::size_t between = from < to ? from + (to - from) / 2 : from - (from - to) / 2;
        signs.against(between);
        (test.holds(signs) ? from : to) = between;
    }
    return to;
}

/// The next value beyond a quartile, as an index.
std::size_t below(const std::vector<OfRound>& values, std::size_t quartile) {
    const auto first = std::ranges::lower_bound(values, values[quartile].value, {}, &OfRound::value);
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(first - values.begin(), 1)) - 1;
}
std::size_t above(const std::vector<OfRound>& values, std::size_t quartile) {
    const auto end = std::ranges::upper_bound(values, values[quartile].value, {}, &OfRound::value);
    return std::min(static_cast<std::size_t>(end - values.begin()), values.size() - 1);
}

/// The medians of rounds, ascending; of ascending values.
std::vector<double> medians_of_rounds(const std::vector<OfRound>& values, std::size_t rounds) {
    std::vector<std::vector<double>> by_round(rounds);
    for (const OfRound& v : values) by_round[v.round].push_back(v.value);
    std::vector<double> medians;
    for (const std::vector<double>& own : by_round) medians.push_back(quantile(own, 0.5));
    std::ranges::sort(medians);
    return medians;
}

/// The interval where the share of values below the median may differ from one half by more than a quarter:
/// that of the rounds' medians, which have no tails of samples, and beyond them it goes on as the values do
/// from their median to the quartiles.
Interval beyond_quartiles(const std::vector<OfRound>& values, std::size_t rounds, double share,
                          double common) {
    // Few rounds tell their scatter badly, hence Student's t; those that follow each other are taken to be
    // worth half as many. What is common to all of them is not in it.
    const boost::math::students_t t(static_cast<double>(rounds - 1) / 2);
    const boost::math::normal z;
    const double steps = share / kQuartile *
                         (boost::math::quantile(boost::math::complement(t, 0.025)) /
                          boost::math::quantile(boost::math::complement(z, 0.025))) /
                         std::sqrt(1 - common);
    std::vector<double> ascending;
    for (const OfRound& v : values) ascending.push_back(v.value);
    const std::vector<double> medians = medians_of_rounds(values, rounds);
    const double middle = quantile(ascending, 0.5);
    const double within = std::min(share, 0.5);
    return {std::min(quantile(medians, 0.5 - within),
                     middle - steps * (middle - quantile(ascending, 0.5 - kQuartile))),
            std::max(quantile(medians, 0.5 + within),
                     middle + steps * (quantile(ascending, 0.5 + kQuartile) - middle))};
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
    signs.against_median();
    const RoundScatter scatter(sizes);
    const SumScatter at_median = scatter.given(signs.sums(), signs.untied());
    const double limit = at_median.limit();
    const Test test(scatter, limit);
    const std::size_t lowest = below(values, last / 4);
    const std::size_t highest = above(values, last - last / 4);
    Interval interval{values[first_refused(signs, test, last / 2, lowest)].value,
                      values[first_refused(signs, test, values.size() / 2, highest)].value};
    const double share = limit / static_cast<double>(values.size()) / 2;
    if (share > kQuartile) {
        const Interval wider = beyond_quartiles(values, rounds, share, at_median.common());
        interval = {std::min(interval.low, wider.low), std::max(interval.high, wider.high)};
    }
    return interval;
}

}  // namespace nsb
