// The commands of nsbench: each returns its exit code.
#pragma once

#include "cli/options.h"
#include "isolate/exec.h"
#include "run/run_info.h"

namespace nsb::cli {

int run_measurements(const Options& options);
int run_benchmark(const Options& options);
int run_churn(const Options& options);
int list_cases(const Options& options);
int run_summary(const Options& options);
int run_guest(const Options& options);
int run_doctor(const Options& options);
int run_prepared(const Options& options, const isolate::Dispositions& inherited);
int run_verify(const Options& options);
int run_exec(const Options& options, const isolate::Dispositions& inherited);

/// Writes to standard output; throws sys::SystemError where it is closed or full.
void print(std::string_view text);

/// As print(), unless the terminal is gone: its end is what ended the run then, and no failure of it.
void print_if_read(std::string_view text);

/// What is known before anything is measured.
run::RunStart describe_start(const Options& options);

/// Whether to colour what goes to standard output: a terminal, and no NO_COLOR.
bool use_colour();
/// Whether NO_COLOR is there, and not empty (https://no-color.org).
bool is_colour_refused();

}  // namespace nsb::cli
