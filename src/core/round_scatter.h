// How the sum of a series of rounds scatters, told by how the rounds of that series differ.
#pragma once

#include <cstdint>
#include <vector>

namespace nsb {

/// What is known of a sum over rounds: with each of these chances it is normally distributed about nothing
/// with that standard deviation.
class SumScatter {
  public:
    struct Part {
        double chance, deviation;
    };

    /// `common`: see below.
    SumScatter(std::vector<Part> parts, double common) : parts_(std::move(parts)), common_(common) {}

    /// That the sum is at least as far from nothing as this one.
    [[nodiscard]] double chance_beyond(double sum) const;
    /// What the sum is beyond with a chance of 5%.
    [[nodiscard]] double limit() const;
    /// The share of a value's variance that is expected to be common to all rounds, 0 to 1: the values of
    /// this run do not scatter by it.
    [[nodiscard]] double common() const { return common_; }

  private:
    std::vector<Part> parts_;
    double common_;
};

/// The sums of rounds' signs (1 above a candidate, -1 below, 0 at it), of rounds with so many values each.
///
/// The variance of a sign is 1, so that a round of independent values needs no estimate. Beyond that the
/// values of a round have a share of their variance in common: some of it is the round's alone, as where
/// blocks are slow or fast as a whole, and some the machine's level, by which rounds follow each other. Which
/// shares those are, and how closely rounds follow, is not known, and few rounds do not tell: the chances of
/// each are what they were before (each share, each half, each correlation as likely as the others) times how
/// likely they make the cosine transforms of the series (Müller and Watson, "Measuring Uncertainty about
/// Long-Run Predictions", 2016). The transforms leave out the mean: what they say of it is the model's.
class RoundScatter {
  public:
    explicit RoundScatter(const std::vector<std::int64_t>& sizes);

    /// By the sums of the rounds' signs, of all of which `untied` (0 to 1) are not 0.
    [[nodiscard]] SumScatter given(const std::vector<std::int64_t>& sums, double untied) const;

  private:
    /// The variances of the sum (at 0) and of the series' cosine transforms, and that of each transform that
    /// is not looked at by itself.
    struct Variances {
        std::vector<double> of_looked_at;
        double of_rest = 0;
    };
    /// One way in which rounds may have something in common.
    struct Model {
        double chance;  // before any sum is known
        double common;
        Variances variances;
        double scale;  // half the logarithm of the transforms' variances' product
    };
    [[nodiscard]] Variances with_rest(std::vector<double> of_looked_at, double of_rounds) const;
    static Variances sum(const Variances& a, double times_a, const Variances& b, double times_b);
    void add(double chance, const Variances& of_values, double share, const Variances& in_common);

    std::vector<double> sizes_;
    double values_;
    std::vector<std::vector<double>> cosines_;  // the first is that of the sum
    double rest_;                               // transforms that are not looked at by themselves
    std::vector<Model> models_;
};

}  // namespace nsb
