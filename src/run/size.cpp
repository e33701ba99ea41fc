// nsbench-size CASES SAMPLES FOLDER: what a run of so many cases, of so many samples each, takes of memory
// and of time where it is kept, written and read again. Nothing is measured: times are made up, and all else
// is done by what ships. Prints a line for each stage: samples, seconds, and the most that the process has
// held until then, in MiB.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "core/text.h"
#include "run/block_shape.h"
#include "run/limits.h"
#include "run/store.h"
#include "sys/file.h"

namespace {

using namespace nsb;  // NOLINT(google-build-using-namespace): the program is of this project
using Clock = std::chrono::steady_clock;

/// As many cases as there are: clone with every set, with stacks of as many sizes as it takes.
run::Selection selection_of(std::size_t cases) {
    constexpr std::size_t kSets = 256;
    constexpr std::size_t kSpawns = 2;
    run::Selection selection;
    selection.operations = {Operation::clone};
    for (std::uint32_t bits = 0; bits < kSets; ++bits) {
        KindSet set;
        for (const KindInfo& kind : kKinds) {
            if ((bits >> static_cast<unsigned>(kind.kind) & 1U) != 0) set = set | kind.kind;
        }
        selection.sets.push_back(set);
    }
    std::vector<std::string> stacks;
    for (std::size_t i = 0; i * kSets * kSpawns < cases; ++i)
        stacks.push_back(format_size(kMinStack + i * kPage));
    selection.values = {{"stack", stacks}, {"spawn", {"fork", "vm"}}};
    return selection;
}

/// Adds a round, as far as a case lacks samples: a block of each case, which has a time for each of its
/// phases. They look like those of a machine: most near each other, and a few far off.
void add_round(std::vector<Series>& series, std::uint32_t round, std::uint32_t samples,
               std::mt19937_64& random) {
    const std::uint32_t before = round * static_cast<std::uint32_t>(series.size());
    std::uint32_t block = before;
    for (Series& own : series) {
        const run::BlockShape shape = run::shape_of(own.measured, {});
        const std::vector<Phase> phases = own.measured.phases();
        ++block;
        Sample sample{round, block, false};
        const std::uint32_t left = samples - static_cast<std::uint32_t>(own.samples.size());
        for (std::uint32_t i = 0; i < std::min(left, shape.lead_in + shape.samples); ++i) {
            sample.counted = round > 0 && i >= shape.lead_in;
            for (const Phase phase : phases) {
                const std::uint64_t bits = random();
                const std::uint64_t far = (bits >> 32U) % 1000 == 0 ? bits >> 40U : 0;
                sample.times[static_cast<std::size_t>(phase)] =
                    static_cast<double>(20000 + bits % 16384 + far);
            }
            sample.times[static_cast<std::size_t>(Phase::drain)] = 0;
            sample.ended += 100000;
            own.samples.push_back(sample);
        }
        if (std::ranges::count(phases, Phase::drain) != 0)
            own.samples.set_drain(before, static_cast<double>(random() % 100000) / 7);
    }
}

std::size_t count(std::span<const Series> series) {
    std::size_t samples = 0;
    for (const Series& s : series) samples += s.samples.size();
    return samples;
}

/// The most memory that this process has had in RAM.
double peak_mib() {
    const std::string status = sys::read_file("/proc/self/status").value_or("");
    constexpr std::string_view kName = "VmHWM:";
    const std::size_t at = status.find(kName);
    return at == std::string::npos ? 0 : std::strtod(status.c_str() + at + kName.size(), nullptr) / 1024;
}

template <typename Do>
double seconds_of(Do action) {
    const Clock::time_point begin = Clock::now();
    action();
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

void print(std::string_view stage, std::size_t samples, double seconds) {
    std::cout << fmt::format("{:<7} {:>9} {:>7.2f} {:>5.0f}\n", stage, samples, seconds, peak_mib())
              << std::flush;
}

/// As a run is kept: its samples as they come, and at its end all files. How many samples it has.
std::size_t write_run(std::size_t cases, std::uint32_t samples, const std::string& folder) {
    run::RunInfo info;
    info.identity = {"size", "made-up", TickClock::wall};
    info.options.selection = selection_of(cases);
    const std::vector<Case> plan = run::make_plan(info.options.selection).value();
    std::vector<Series> series;
    for (std::size_t i = 0; i < std::min(cases, plan.size()); ++i) series.push_back({plan[i], {}, {}});
    std::vector<const Series*> all;
    for (const Series& s : series) all.push_back(&s);
    run::Store store = run::Store::create(folder);

    std::mt19937_64 random(1);
    double taken = 0;
    double written = 0;
    for (std::size_t before = 0, now = 1; before != now; ++info.rounds) {
        before = count(series);
        taken += seconds_of([&] { add_round(series, info.rounds, samples, random); });
        now = count(series);
        written += seconds_of([&] { store.save_samples(info, all); });
    }
    print("taken", count(series), taken);
    std::vector<Row> rows;
    const double summed = seconds_of([&] { rows = rows_of(series, series.size(), info.row_context()); });
    print("rows", count(series), summed);
    written += seconds_of([&] { store.save(info, rows, all); });
    print("written", count(series), written);
    return count(series);
}

}  // namespace

int main(int words, char** word) {
    const auto number = [&](int at, std::uint64_t most) -> std::uint64_t {
        if (at >= words) return 0;
        return parse_count(word[at], 1, most).value_or(0);
    };
    const std::uint64_t cases = number(1, run::kMostCases);
    const std::uint64_t samples = number(2, 1'000'000);
    if (words != 4 || cases == 0 || samples == 0) {
        std::cerr << "nsbench-size: CASES SAMPLES FOLDER are needed\n";
        return 2;
    }
    try {
        const std::string folder = word[3];
        const std::size_t written = write_run(cases, static_cast<std::uint32_t>(samples), folder);
        std::size_t read = 0;
        const double seconds = seconds_of([&] { read = count(run::Store::reopen(folder).second.series); });
        print("read", read, seconds);
        return read == written ? 0 : 1;
    } catch (const std::exception& error) {
        std::cerr << "nsbench-size: " << error.what() << '\n';
        return 1;
    }
}
