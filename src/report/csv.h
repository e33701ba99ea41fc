// CSV (RFC 4180, lines ending in LF): writing records by their columns, and reading lines back.
#pragma once

#include <span>
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

/// The lines of a case's samples. What all of them have in common is made once.
class SampleLines {
  public:
    /// Both outlive it.
    SampleLines(const RunIdentity& run, const Series& series);
    /// Appends the line of a sample of this stretch; `number` is of its machine's.
    void append(std::string& text, const Stretch& stretch, std::size_t index, std::size_t number) const;
    /// Appends the line of the one that failed.
    void append_failed(std::string& text) const;

  private:
    /// A column, and what stands before it: fields of the case, and commas.
    struct Part {
        std::string before;
        const Column<SampleRecord>* column;
    };
    void append(std::string& text, const SampleRecord& record) const;

    const RunIdentity& run_;
    const Series& series_;
    std::vector<Part> parts_;
    std::string end_;
};

/// results.csv, whole.
std::string results_csv(const RunIdentity& run, std::span<const Row> rows);

/// probe.csv and memory.csv, whole.
std::string probe_csv(const RunIdentity& run, const ProbeReport& report);
std::string memory_csv(const RunIdentity& run, const ProbeReport& report);

/// The fields of one line, quotes undone.
std::vector<std::string> split_csv(const std::string& line);
/// The same into `fields`, whose room is used again.
void split_csv(const std::string& line, std::vector<std::string>& fields);

}  // namespace nsb::report
