// Cases as Google Benchmark knows them.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>

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

/// The message of a case without figures.
std::string error_message(const Row& row);

}  // namespace nsb::run
