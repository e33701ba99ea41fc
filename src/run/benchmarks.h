// Cases run as Google Benchmark runs benchmarks: its options, its number of iterations, its reporters.
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/series.h"
#include "report/columns.h"
#include "run/draining.h"
#include "run/run_options.h"
#include "run/samplers.h"

namespace nsb::run {

/// Has Google Benchmark look at the CPUs, which it does once, and ends the program where it may open no file
/// for that: so before a run takes any. Throws SystemError.
void look_at_cpus();

/// An option that Google Benchmark does not take.
class UnknownBenchmarkOption : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Gives Google Benchmark its own options, such as --benchmark_repetitions=3. Once for each process.
/// Throws UnknownBenchmarkOption.
void initialize_benchmarks(const std::vector<std::string>& options);

/// What becomes of Google Benchmark's file.
enum class FileFormat : std::uint8_t { none, json, console };

struct BenchmarkOptions {
    FileFormat file = FileFormat::none;
    /// For Google Benchmark's CSV, which ends the program where a benchmark has not the counters of another.
    bool all_have_all_phases = false;
    report::RunIdentity identity;
    std::string version;
    RunOptions run;      ///< by which its blocks have their lead-in
    RowContext context;  ///< by which a failed case is called skipped or failed
};

struct BenchmarksRun {
    std::vector<Row> rows;  ///< for each case one without figures, which says whether it failed
    std::string file;       ///< its content
};

/// Runs the cases, under their ids, and lets Google Benchmark print what comes of them. An iteration's time
/// is that of the case's first phase; each phase is a counter, in seconds: the mean over the samples.
BenchmarksRun run_benchmarks(Samplers& samplers, Draining& draining, std::span<const Case> cases,
                             const BenchmarkOptions& options);

}  // namespace nsb::run
