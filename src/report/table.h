// The table of results for people, fitted to the terminal.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/columns.h"

namespace nsb::report {

enum class Sort : std::uint8_t { plan, id, median, delta, precision };
/// In options, in the order of the values.
inline constexpr std::array<std::string_view, 5> kSortNames{"plan", "case", "median", "delta", "precision"};

struct TableStyle {
    std::size_t width = 0;  ///< columns of the terminal; 0 for as wide as it gets
    bool colour = false;
    Sort sort = Sort::plan;  ///< median, delta and precision: the largest first
};

/// One line for each case, one block for each group of operations that have the same phases. The rows of a
/// case stand together.
std::string table(const RunIdentity& run, const std::vector<Row>& rows, const TableStyle& style);

}  // namespace nsb::report
