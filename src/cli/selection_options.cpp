#include "cli/selection_options.h"

#include <fmt/format.h>

#include "cli/options.h"
#include "core/text.h"

namespace nsb::cli {
namespace {

namespace po = boost::program_options;

Operation parsed_operation(const std::string& name) {
    const auto operation = parse_operation(name);
    if (!operation) throw UsageError(fmt::format("--op={}: accepted is {}", name, operation.error()));
    return *operation;
}

}  // namespace

std::vector<std::string> listed(const po::variables_map& values, const char* name) {
    std::vector<std::string> words;
    if (values.count(name) == 0) return words;
    for (const std::string& text : values[name].as<std::vector<std::string>>()) {
        const std::vector<std::string> parts = split(text, ",");
        words.insert(words.end(), parts.begin(), parts.end());
    }
    return words;
}

run::Selection parse_selection(const po::variables_map& values, run::Selection selection) {
    const bool is_quick = values.count("quick") != 0;
    const bool is_full = values.count("full") != 0;
    if (is_quick && is_full) throw UsageError("--quick and --full exclude each other");
    if (is_quick || is_full) selection.extent = is_quick ? run::Extent::quick : run::Extent::full;
    if (values.count("case") != 0) selection.cases = values["case"].as<std::vector<std::string>>();
    if (values.count("filter") != 0) {
        if (selection.filter) throw UsageError("--filter and --benchmark_filter exclude each other");
        selection.filter = values["filter"].as<std::string>();
    }
    for (const std::string& name : listed(values, "op")) {
        selection.operations.push_back(parsed_operation(name));
    }
    if (values.count("ns") != 0) {
        for (const std::string& text : values["ns"].as<std::vector<std::string>>()) {
            const auto set = parse_set(text);
            if (!set) throw UsageError(fmt::format("--ns={}: {}", text, set.error()));
            selection.sets.push_back(*set);
        }
    }
    for (const ParameterInfo& parameter : kParameterTable) {
        if (parameter.help.empty()) continue;
        const std::string key(parameter.key);
        for (std::string& value : listed(values, key.c_str()))
            selection.values[key].push_back(std::move(value));
    }
    if (values.count("with") != 0) {
        for (const std::string& text : values["with"].as<std::vector<std::string>>()) {
            const std::size_t colon = text.find(':');
            if (colon == std::string::npos) {
                throw UsageError(fmt::format("--with={}: accepted is KEY:VALUE, such as touch:all", text));
            }
            for (std::string& value : split(text.substr(colon + 1), ",")) {
                selection.values[text.substr(0, colon)].push_back(std::move(value));
            }
        }
    }
    if (values.count("curve") != 0) {
        const std::string text = values["curve"].as<std::string>();
        const auto curve = run::parse_curve(text);
        if (!curve) throw UsageError(fmt::format("--curve={}: {}", text, curve.error()));
        if (!selection.cases.empty())
            throw UsageError("--case names whole cases: --curve does not go with it");
        selection.curve = *curve;
    }
    return selection;
}

}  // namespace nsb::cli
