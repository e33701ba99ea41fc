// What a run over a curve ends with: the growth laws of its figures, by scripts/curves.py.
#pragma once

#include "run/summary.h"

namespace nsb::cli {

/// Prints the laws, in a child that becomes the script, and waits for its end. Of a run without a curve, or
/// one that was stopped, nothing. Where the script, Python or a package of its is missing, that is one line
/// on standard error with the remedy: the run is none the worse for it.
void print_laws(const run::Summary& summary);

}  // namespace nsb::cli
