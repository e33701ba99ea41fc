#include "report/csv.h"

#include <boost/tokenizer.hpp>

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
template void append_csv(std::string&, std::span<const Column<SampleRecord>>, const SampleRecord&);
template void append_csv(std::string&, std::span<const Column<RoundRecord>>, const RoundRecord&);

std::string results_csv(const RunIdentity& run, const std::vector<Row>& rows) {
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

std::vector<std::string> split_csv(const std::string& line) {
    // RFC 4180 knows no escapes.
    const boost::tokenizer<boost::escaped_list_separator<char>> fields(
        line, boost::escaped_list_separator<char>("", ",", "\""));
    return {fields.begin(), fields.end()};
}

}  // namespace nsb::report
