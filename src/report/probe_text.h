// What the probe found out, for people and for flame-graph tools.
#pragma once

#include <span>
#include <string>

#include "report/columns.h"

namespace nsb::report {

/// One case: where its time goes as a tree of functions, what it waits for, and its memory, in at most
/// `width` columns; 0 for as wide as it gets.
std::string probe_tree(const RunIdentity& run, const ProbedCase& probed, std::size_t width = 0);

/// The cases that were not probed, by why.
std::string unprobed_lines(std::span<const ProbedCase> cases);

/// How the functions were served, what could not be had and why, what was lost.
std::string probe_summary(const RunIdentity& run, const ProbeReport& report);

/// All cases' stacks, "case;outermost;…;innermost weight" on each line.
std::string folded_stacks(const ProbeReport& report);

}  // namespace nsb::report
