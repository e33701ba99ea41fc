// Cases as Google Benchmark knows them.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "core/series.h"
#include "report/columns.h"

namespace nsb::run {

/// Registers a benchmark under the case's id, in manual time: each iteration is one sample, and `body` says
/// how long it took. A tick counts as a nanosecond, also where the clock counts instructions.
benchmark::internal::Benchmark* register_case(const Case& c, std::function<void(benchmark::State&)> body);

inline constexpr double kSecondsPerTick = 1e-9;

/// What Google Benchmark's reporters say of a run besides its benchmarks.
void describe_context(const report::RunIdentity& identity, std::string_view version);

/// Options that Google Benchmark would otherwise take from BENCHMARK_* variables, as it has them without. It
/// ends the program by its help and exit code 0 where it does not like such a variable, and a warm-up takes a
/// block twice. Of nsbench the command line alone counts. BENCHMARK_CONTEXT cannot be undone: it adds to what
/// is said of the machine. An option that this version of the library does not have is left in the arguments.
std::vector<std::string> words_against_variables();

/// The message of a case without figures.
std::string error_message(const Row& row);

}  // namespace nsb::run
