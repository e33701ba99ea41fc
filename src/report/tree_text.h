// The functions of a probed case as a tree, for people.
#pragma once

#include <string>

#include "report/columns.h"

namespace nsb::report {

/// A head and a line for each function, callers before callees, each stage under its name. Of at most `width`
/// columns (0: as wide as it gets): what matters least gives way to the names. Columns that say nothing of
/// any function are left out.
std::string tree_text(const RunIdentity& run, const ProbedCase& probed, std::size_t width);

}  // namespace nsb::report
