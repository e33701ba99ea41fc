// Times and sizes as people read them. scripts/analysis/kinds.py and scripts/page/figures.js follow the same
// rule; scripts/analysis/format_vectors.csv holds the three together.
#pragma once

#include <string>

#include "report/columns.h"

namespace nsb::report {

/// Three significant digits, a half rounded up, and the unit that the rounded figure is in: 999.6 ns is "1.00
/// µs". Of instructions without their name: "141 k".
std::string format_ticks(double ticks, const RunIdentity& run);

/// "64.0 KiB", likewise.
std::string format_bytes(double bytes);

/// A ratio as a change: 1.05 is "+5.0%"; from a doubling or a half on "×2.00", "×1408"; "?" for none.
std::string format_change(double ratio);

}  // namespace nsb::report
