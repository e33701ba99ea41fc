// nsbench-stops PRECISION ROUNDS SAMPLES: where a run with --precision would stop. Standard input has series
// of times, each of so many rounds of so many samples; for each of them a line says after how many rounds it
// was found precise (or ROUNDS) and the ends of its interval then. The decision is the one that ships, Looks.
#include <cstdlib>
#include <iostream>

#include "core/series.h"

namespace {

/// Whether there was another series.
bool judge(std::istream& times, std::ostream& out, double precision, std::uint32_t rounds,
           std::uint32_t samples) {
    const nsb::RowContext context{precision, {}, {}};
    nsb::Series series{nsb::Case::of(nsb::Operation::setns, nsb::Kind::uts), {}, {}};  // which has one phase
    std::vector<double> all(std::size_t{rounds} * samples);
    for (double& time : all) {
        if (!(times >> time)) return false;
    }
    nsb::Looks looks;
    for (std::uint32_t round = 1; round <= rounds && !looks.is_precise(); ++round) {
        for (std::uint32_t i = 0; i < samples; ++i) {
            nsb::Sample sample{round, round, true, {}};
            sample.times.fill(all[std::size_t{round - 1} * samples + i]);
            series.samples.push_back(sample);
        }
        looks.extend(series);
        looks.look(series, context);
    }
    const nsb::Row row = nsb::make_rows(series, nullptr, context).front();
    if (!row.figures || !row.figures->ci) return false;
    out << looks.rounds() << ' ' << row.figures->ci->low << ' ' << row.figures->ci->high << '\n';
    return true;
}

}  // namespace

int main(int count, char** words) {
    if (count != 4) {
        std::cerr << "nsbench-stops: PRECISION ROUNDS SAMPLES are needed\n";
        return 2;
    }
    const double precision = std::strtod(words[1], nullptr);
    const auto rounds = static_cast<std::uint32_t>(std::strtoul(words[2], nullptr, 10));
    const auto samples = static_cast<std::uint32_t>(std::strtoul(words[3], nullptr, 10));
    if (!(precision > 0) || rounds < nsb::kMinForInterval || samples == 0) {
        std::cerr << "nsbench-stops: a precision above 0, at least 6 rounds and 1 sample are needed\n";
        return 2;
    }
    std::cout.precision(12);
    while (judge(std::cin, std::cout, precision, rounds, samples)) {
    }
    return 0;
}
