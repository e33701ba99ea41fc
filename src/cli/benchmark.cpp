// The command `benchmark`: the cases as Google Benchmark runs what is registered with it.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <iostream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/outcome.h"
#include "cli/words.h"
#include "core/text.h"
#include "run/benchmarks.h"
#include "run/interrupt.h"
#include "run/measurement.h"
#include "run/needs.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::cli {
namespace {

/// --benchmark_out=FILE, which appears whole or not at all, as all of nsbench's files do.
struct OutFile {
    std::string path;  ///< empty where none was asked for
    run::FileFormat format = run::FileFormat::none;
};

// The first of each is what it is by itself.
constexpr auto kFormats = std::to_array<std::string_view>({"console", "json", "csv"});
constexpr auto kFileFormats = std::to_array<std::string_view>({"json", "console"});
constexpr auto kColours =
    std::to_array<std::string_view>({"auto", "yes", "no", "true", "false", "on", "off", "1", "0"});
constexpr auto kTimeUnits = std::to_array<std::string_view>({"ns", "us", "ms", "s"});
constexpr Range kRepetitions{1, 1'000'000};

/// The last one counts.
std::optional<std::string> value_of(const std::vector<std::string>& options, std::string_view name) {
    const std::string begin = fmt::format("--{}=", name);
    std::optional<std::string> value;
    for (const std::string& option : options) {
        if (option.starts_with(begin)) value = option.substr(begin.size());
    }
    return value;
}

/// Google Benchmark answers an unknown one by its help and exit code 0.
std::string choice_of(const std::vector<std::string>& options, std::string_view name,
                      std::span<const std::string_view> choices) {
    std::string value = value_of(options, name).value_or(std::string(choices.front()));
    if (std::ranges::find(choices, value) == choices.end()) throw none_of(name, value, choices);
    return value;
}

/// Throws UsageError where it cannot be written.
OutFile take_out_file(std::vector<std::string>& options) {
    const std::string format = choice_of(options, "benchmark_out_format", kFileFormats);
    OutFile file{value_of(options, "benchmark_out").value_or(""), run::FileFormat::none};
    if (file.path.empty()) return file;
    if (file.path == "-") {
        throw UsageError(
            "--benchmark_out=-: is a file beside what is printed; --benchmark_format=json prints JSON");
    }
    file.format = format == "json" ? run::FileFormat::json : run::FileFormat::console;
    try {
        sys::check_writable(file.path);
    } catch (const sys::SystemError& error) {
        if (is_of_a_limit(error)) throw;
        throw UsageError(fmt::format("--benchmark_out={}: cannot be written: {}", file.path, error.what()));
    }
    // Google Benchmark wants to open a file before it reports to another one. The last one counts.
    options.emplace_back("--benchmark_out=/dev/null");
    return file;
}

/// Throws UsageError where Google Benchmark would take a value and do something else than measure.
void check_values(const std::vector<std::string>& options) {
    (void)choice_of(options, "benchmark_color", kColours);
    (void)choice_of(options, "benchmark_time_unit", kTimeUnits);
    const auto repetitions = value_of(options, "benchmark_repetitions");
    if (!repetitions) return;
    if (const auto count = parse_count(*repetitions, kRepetitions); !count)
        throw UsageError(
            fmt::format("--benchmark_repetitions={}: accepted is {}", *repetitions, count.error()));
}

/// Google Benchmark prints by way of std::cout, which keeps no errno: what fails there mostly fails again.
void flush_standard_output() {
    if (std::cout.flush()) return;
    print_if_read("\n");
    if (run::interrupted_by() != SIGHUP)
        throw std::runtime_error(fmt::format("{}: a part of it cannot be written", sys::kStandardOutput));
}

}  // namespace

int run_benchmark(const Options& options) {
    const run::RunStart start = describe_start(options);
    const auto plan = make_plan(start.options.selection);
    if (!plan) throw UsageError(plan.error());
    std::vector<std::string> theirs = options.benchmark;
    const OutFile out = take_out_file(theirs);
    const bool is_csv = choice_of(theirs, "benchmark_format", kFormats) == "csv";
    check_values(theirs);
    // By way of stdio a write that a signal interrupts is an error (_IO_new_file_write, glibc).
    std::ios::sync_with_stdio(false);
    std::vector<std::string> all;
    if (is_colour_refused()) all.emplace_back("--benchmark_color=no");
    all.insert(all.end(), theirs.begin(), theirs.end());
    try {
        run::initialize_benchmarks(all);
    } catch (const run::UnknownBenchmarkOption& error) {
        throw UsageError(
            fmt::format("'{}' is not taken by Google Benchmark (nsbench benchmark --help lists its options)",
                        error.what()));
    }

    run::catch_signals();
    run::Instruments instruments = run::Instruments::prepare(start.options, *plan);
    run::RunInfo info{start, {}, {}, {}, std::nullopt};
    info.in_userns = instruments.samplers.in_userns();
    info.base_set = base_set(info.in_userns);
    info.sampler_capabilities = run::kept_by(instruments.samplers.privilege());
    const run::Cases cases = run::Cases::of(*plan, info.in_userns, true);
    run::TeardownAccess teardown = run::access_teardown(cases, std::nullopt);
    info.drain_unseen = teardown.unseen;
    info.warnings = run::warnings_of(instruments.samplers, *plan);
    info.warnings.insert(info.warnings.end(), teardown.warnings.begin(), teardown.warnings.end());
    sys::try_write(STDERR_FILENO, warning_lines(info));

    run::Draining draining(std::move(teardown.watch));
    const run::BenchmarksRun done = run::run_benchmarks(
        instruments.samplers, draining, cases.all,
        {out.format, is_csv, start.identity, start.version, start.options, info.row_context()});
    info.interrupted_by = run::interrupted_by();
    if (!out.path.empty()) sys::replace_file(out.path, done.file);
    flush_standard_output();
    return exit_code(info, done.rows);
}

}  // namespace nsb::cli
