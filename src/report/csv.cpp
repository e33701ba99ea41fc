#include "report/csv.h"

#include <algorithm>
#include <utility>

#include "core/utf8.h"
#include "report/load_columns.h"

namespace nsb::report {

template <typename Record>
std::string csv_header(std::span<const Column<Record>> columns) {
    std::string text;
    for (const auto& column : columns) {
        if (!text.empty()) text += ',';
        text += column.name;
    }
    return text + '\n';
}

template <typename Record>
void append_csv(std::string& text, std::span<const Column<Record>> columns, const Record& record) {
    bool first = true;
    for (const auto& column : columns) {
        if (!first) text += ',';
        first = false;
        text += csv_field(column.get(record));
    }
    text += '\n';
}

template std::string csv_header(std::span<const Column<ResultRecord>>);
template std::string csv_header(std::span<const Column<SampleRecord>>);
template std::string csv_header(std::span<const Column<RoundRecord>>);
template void append_csv(std::string&, std::span<const Column<ResultRecord>>, const ResultRecord&);
template void append_csv(std::string&, std::span<const Column<RoundRecord>>, const RoundRecord&);

SampleLines::SampleLines(const RunIdentity& run, const Series& series) : run_(run), series_(series) {
    std::string before;
    for (const auto& column : sample_columns()) {
        if (&column != &sample_columns().front()) before += ',';
        if (column.is_of_case != nullptr && column.is_of_case(series.measured)) {
            before += csv_field(column.get({run, series, nullptr, 0, 0}));
        } else {
            parts_.push_back({std::exchange(before, ""), &column});
        }
    }
    end_ = before + '\n';
}

void SampleLines::append(std::string& text, const SampleRecord& record) const {
    for (const auto& [before, column] : parts_) {
        text += before;
        const std::string field = column->get(record);
        text += column->unit.empty() && !field.empty() ? csv_field(field) : field;  // a number is as it is
    }
    text += end_;
}

void SampleLines::append(std::string& text, const Stretch& stretch, std::size_t index,
                         std::size_t number) const {
    append(text, {run_, series_, &stretch, index, number});
}

void SampleLines::append_failed(std::string& text) const {
    const std::size_t number = series_.samples.size();
    append(text, {run_, series_, nullptr, number, number});
}

std::string results_csv(const RunIdentity& run, std::span<const Row> rows) {
    std::string text = csv_header(result_columns());
    for (const Row& row : rows) append_csv(text, result_columns(), ResultRecord{run, row});
    return text;
}

std::string probe_csv(const RunIdentity& run, const ProbeReport& report) {
    std::string text = csv_header(function_columns());
    for (const ProbedCase& probed : report.cases) {
        for (const FunctionRow& row : probed.functions) {
            const bool is_refused = row.backend == Backend::none && !row.reason.empty();
            if (!row.times && !is_refused) continue;
            append_csv(text, function_columns(), FunctionRecord{run, probed, row});
        }
    }
    return text;
}

std::string memory_csv(const RunIdentity& run, const ProbeReport& report) {
    std::string text = csv_header(memory_columns());
    for (const ProbedCase& probed : report.cases) {
        for (const MemoryRow& row : probed.memory)
            append_csv(text, memory_columns(), MemoryRecord{run, probed, row});
    }
    return text;
}

std::string churn_csv(const RunIdentity& run, const std::string& id, std::span<const LoadRow> rows) {
    std::string text = csv_header(load_columns());
    for (const LoadRow& row : rows) append_csv(text, load_columns(), LoadRecord{run, id, row});
    return text;
}

std::string bursts_csv(const RunIdentity& run, const std::string& id, std::span<const BurstRow> rows) {
    std::string text = csv_header(burst_columns());
    std::size_t number = 0;
    for (const BurstRow& row : rows) append_csv(text, burst_columns(), BurstRecord{run, id, row, ++number});
    return text;
}

std::string batches_csv(const RunIdentity& run, const std::string& id, std::span<const BatchRow> rows) {
    std::string text = csv_header(batch_columns());
    std::size_t number = 0;
    for (const BatchRow& row : rows) append_csv(text, batch_columns(), BatchRecord{run, id, row, ++number});
    return text;
}

namespace {

/// The field that begins there, up to the comma behind it; `at` is that then, or the line's end. Doubled
/// quotes within quotes are one, and whatever follows the last of these is as it stands.
std::string next_field(std::string_view line, std::size_t& at) {
    std::string field;
    if (at < line.size() && line[at] == '"') {
        for (++at; at < line.size(); ++at) {
            if (line[at] == '"' && line.substr(at + 1, 1) != "\"") break;
            if (line[at] == '"') ++at;
            field += line[at];
        }
        ++at;
    }
    const std::size_t end = std::min(line.find(',', at), line.size());
    field += line.substr(std::min(at, end), end - std::min(at, end));
    at = end;
    return field;
}

}  // namespace

void split_csv(const std::string& line, std::vector<std::string>& fields) {
    if (line.find('"') != std::string::npos) {
        fields.clear();
        for (std::size_t at = 0; at <= line.size(); ++at) fields.push_back(next_field(line, at));
        return;
    }
    // As nearly all lines are: into the room of the line before.
    std::size_t count = 0;
    for (std::size_t begin = 0; begin <= line.size(); ++count) {
        const std::size_t end = std::min(line.find(',', begin), line.size());
        if (count == fields.size()) fields.emplace_back();
        fields[count].assign(line, begin, end - begin);
        begin = end + 1;
    }
    fields.resize(count);
}

std::vector<std::string> split_csv(const std::string& line) {
    std::vector<std::string> fields;
    split_csv(line, fields);
    return fields;
}

}  // namespace nsb::report
