// What is said above and below a run's table, and its exit code.
#pragma once

#include <exception>
#include <span>
#include <string>
#include <vector>

#include "core/series.h"
#include "run/run_info.h"
#include "sys/error.h"

namespace nsb::cli {

/// Columns of the terminal that standard output is; of what is none, what COLUMNS says. 0: any number.
std::size_t terminal_width();
/// Lines of that terminal; 0 where it is none.
std::size_t terminal_height();

/// The run's own warnings, and all that is to be known of the machine before its figures.
std::string warning_lines(const run::RunInfo& info);
std::string environment_lines(const run::RunInfo& info);

/// What table and digest leave to be said of the run.
std::string closing_lines(const run::RunInfo& info, const std::vector<Row>& rows);

/// Of a run that came to its end, or was interrupted.
int exit_code(const run::RunInfo& info, const std::vector<Row>& rows);

/// How an exception ends nsbench.
struct Ending {
    std::string
        line;  ///< for standard error, with the remedy where there is one; empty where nothing is to be said
    int code;
};
Ending ending_of(const std::exception& error);
/// Says its line; its exit code.
int end_by(const std::exception& error);

/// Whether standard output has nobody left to read it: a pipe whose reader has gone, a terminal that was
/// closed.
bool is_unread(const sys::SystemError& error);

}  // namespace nsb::cli
