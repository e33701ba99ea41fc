#include "report/dictionary.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/case.h"
#include "core/traced.h"
#include "report/columns.h"
#include "report/load_columns.h"

namespace nsb::report {
namespace {

// Members stay in the order in which they are written here.
using Json = nlohmann::ordered_json;

/// Calls visit(name, what a row is, columns) for each result file.
template <typename Visit>
void each_file(Visit visit) {
    visit("results.csv", "a row for each case and phase", result_columns());
    visit("samples.csv", "a row for each sample", sample_columns());
    visit("rounds.csv", "a row for each round, with what else the machine did in it", round_columns());
    visit("probe.csv",
          "a row for each case and each traced function that it called, or that could not be traced",
          function_columns());
    visit("memory.csv", "a row for each case and place that allocates", memory_columns());
    visit("churn.csv", "of nsbench churn: a row for each interval of the load and of the drain after it",
          load_columns());
    visit("bursts.csv", "of nsbench churn --burst: a row for each burst", burst_columns());
    visit("batches.csv",
          "of nsbench churn --probe: a row for each batch in which net namespaces were torn down",
          batch_columns());
}

Json names_of(KindSet set) {
    Json names = Json::array();
    for (const KindInfo& kind : kKinds) {
        if (set.contains(kind.kind)) names.push_back(kind.name);
    }
    return names;
}

Json phases() {
    Json all = Json::array();
    for (const PhaseInfo& phase : kPhaseTable) {
        all.push_back({{"name", phase.name},
                       {"needs", names_of(phase.needs)},
                       {"meaning", phase.meaning},
                       {"lies_in", info(phase.lies_in).name}});
    }
    return all;
}

Json kinds() {
    Json all = Json::array();
    for (const KindInfo& kind : kKinds) {
        all.push_back({{"name", kind.name}, {"flag", kind.flag}, {"value", kind.bit}});
    }
    return all;
}

Json operations() {
    Json all = Json::array();
    for (const OperationInfo& operation : kOperations) {
        Json phases = Json::array();
        for (std::size_t i = 0; i < kPhases; ++i) {
            if (operation.phases.contains(static_cast<Phase>(i))) phases.push_back(kPhaseTable[i].name);
        }
        Json parameters = Json::array();
        for (std::size_t i = 0; i < kParameters; ++i) {
            if (operation.parameters.contains(static_cast<Parameter>(i)))
                parameters.push_back(kParameterTable[i].key);
        }
        all.push_back({{"name", operation.name},
                       {"planned", operation.planned},
                       {"phases", std::move(phases)},
                       {"parameters", std::move(parameters)}});
    }
    return all;
}

std::string_view type_of(const ParameterInfo& parameter) {
    switch (parameter.type) {
        case ParameterType::size:
            return "size";
        case ParameterType::count:
            return "count";
        case ParameterType::choice:
            return "choice";
    }
    return "";
}

/// Values are text, as in an id. Two parameters may have one key; no operation takes both.
Json parameters() {
    Json all = Json::array();
    for (std::size_t i = 0; i < kParameters; ++i) {
        const ParameterInfo& info = kParameterTable[i];
        const auto parameter = static_cast<Parameter>(i);
        Json one{
            {"key", info.key}, {"type", type_of(info)}, {"default", format_value(parameter, info.initial)}};
        if (info.type == ParameterType::choice) {
            one["choices"] = info.choices();
        } else {
            one["least"] = format_value(parameter, info.low);
            one["most"] = format_value(parameter, info.high);
        }
        one["default_in_id"] = info.always_in_id;
        one["operations"] = Json::array();
        for (const OperationInfo& operation : kOperations) {
            if (operation.parameters.contains(parameter)) one["operations"].push_back(operation.name);
        }
        one["meaning"] = info.meaning;
        one["option"] = info.help.empty() ? "" : info.key;
        all.push_back(std::move(one));
    }
    return all;
}

Json functions() {
    Json all = Json::array();
    for (const TracedFunction& function : kTraced) {
        all.push_back({{"name", function.name},
                       {"kind", kind_name(function.kind)},
                       {"path", to_string(function.path)}});
    }
    return all;
}

Json outputs_json(std::span<const OutputNames> outputs) {
    Json all = Json::array();
    for (const OutputNames& output : outputs) {
        all.push_back({{"option", output.option}, {"file", output.file}, {"meaning", output.meaning}});
    }
    return all;
}

/// In a table a bar would begin the next cell.
std::string cell(std::string_view text) {
    std::string written;
    for (const char c : text) {
        if (c == '|') written += '\\';
        written += c;
    }
    return written;
}

}  // namespace

std::string dictionary_markdown() {
    std::string text;
    each_file([&](std::string_view name, std::string_view row, const auto& columns) {
        if (!text.empty()) text += '\n';
        text += fmt::format("### {}: {}\n\n| column | unit | meaning |\n|---|---|---|\n", name, row);
        for (const auto& column : columns) {
            text += fmt::format("| {} | {} | {} |\n", column.name, column.unit, cell(column.meaning));
        }
    });
    return text;
}

std::string dictionary_json(std::span<const OutputNames> outputs) {
    Json files = Json::object();
    Json all_columns = Json::object();
    each_file([&](const char* name, std::string_view row, const auto& columns) {
        files[name] = row;
        for (const auto& column : columns) {
            all_columns[name].push_back({{"name", column.name},
                                         {"type", column.unit.empty() ? "text" : "number"},
                                         {"unit", column.unit},
                                         {"meaning", column.meaning}});
        }
    });
    const Json whole{{"files", std::move(files)},  {"columns", std::move(all_columns)},
                     {"phases", phases()},         {"kinds", kinds()},
                     {"operations", operations()}, {"parameters", parameters()},
                     {"functions", functions()},   {"outputs", outputs_json(outputs)}};
    return whole.dump(1) + '\n';
}

}  // namespace nsb::report
