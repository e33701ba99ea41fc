// CSV (RFC 4180, lines ending in LF): writing records by their columns, and reading lines back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/columns.h"

namespace nsb::report {

/// The header line of `columns`.
template <typename Record>
std::string csv_header(std::span<const Column<Record>> columns);

/// Appends one record's line to `text`.
template <typename Record>
void append_csv(std::string& text, std::span<const Column<Record>> columns, const Record& record);

/// results.csv, whole.
std::string results_csv(const RunIdentity& run, const std::vector<Row>& rows);

/// probe.csv and memory.csv, whole.
std::string probe_csv(const RunIdentity& run, const ProbeReport& report);
std::string memory_csv(const RunIdentity& run, const ProbeReport& report);

/// The fields of one line, quotes undone.
std::vector<std::string> split_csv(const std::string& line);

}  // namespace nsb::report
