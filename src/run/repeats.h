// A plan that is measured several times (--repeat): what each of them begins with, and what they come to
// together.
#pragma once

#include <string>
#include <vector>

#include "run/run_info.h"
#include "run/summary.h"

namespace nsb::run {

/// "repeat-2": a repeat's folder within that of all.
std::string name_of_repeat(std::uint32_t number);

/// A repeat's run_id: that of all, and its number.
std::string id_of_repeat(const RunStart& whole, std::uint32_t number);

/// A repeat's seed: that of all for the first, and one more for each that follows. --seed= with it makes the
/// same run alone.
std::uint64_t seed_of_repeat(std::uint64_t seed, std::uint32_t number);

/// What a repeat begins with: what `whole` is about, on the machine as it is `now`.
RunStart start_of_repeat(const RunStart& whole, const RunStart& now, std::uint32_t number);

/// Of the budget, what a repeat has left that was stopped after so many seconds.
double share_left(const RunOptions& options, double seconds);

/// What repeats have come to, index by index.
struct Repeats {
    std::vector<RunInfo> infos;
    std::vector<std::vector<Row>> rows, bases;  ///< as of a Summary

    [[nodiscard]] std::size_t size() const { return infos.size(); }
    /// Keeps them in the order of their numbers.
    void add(Summary repeat);
};

/// What they come to together: run.json's content is what `whole` began with, what all of them add up to, and
/// what the last one had. Of one at least.
Summary sum_up(const RunStart& whole, const Repeats& repeats);

}  // namespace nsb::run
