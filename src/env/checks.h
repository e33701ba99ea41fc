// What on this machine will spoil figures or is missing, and what to do about it. Files are read; nothing is
// changed and nothing is tried.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "env/files.h"

namespace nsb::env {

enum class Severity {
    ok,       ///< as it should be
    note,     ///< part of the figures' conditions, or not to be seen here: no reason to stop
    warning,  ///< figures will be disturbed, or cases will fail
    problem   ///< no namespace can be measured
};

/// `ok`, `note`, `warning`, `problem`.
std::string_view to_string(Severity severity);

/// What one check found. `effect` and `remedy` are empty when it is ok.
struct Finding {
    std::string id;
    Severity severity = Severity::ok;
    std::string observed;  ///< the setting as it is; kUnknown where it cannot be read
    std::string effect;    ///< what it does to the figures, in one clause
    std::string remedy;    ///< a command line, or `nothing to do here: ` and the reason
};

struct DoctorCheck {
    std::string_view id;
    Finding (*run)(const Root& root);  ///< leaves Finding::id to examine()
};

/// Every check, in the order in which findings are shown.
std::span<const DoctorCheck> checks();

/// Runs every check: as many findings, in the same order. Takes the 100 ms in which CPU time is sampled.
std::vector<Finding> examine(const Root& root = {});

}  // namespace nsb::env
