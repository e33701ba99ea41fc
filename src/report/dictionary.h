// The dictionary: what the result files' columns, and the names in them, mean.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace nsb::report {

/// What a run is written as: the option that names a file for it, and its name in a run's folder. One of the
/// two may be empty.
struct OutputNames {
    std::string_view option, file, meaning;
};

/// The columns of each result file, in Markdown, as they stand in results/README.md.
std::string dictionary_markdown();

/// All of it as one JSON object, as it stands in scripts/analysis/dictionary.json: the result files and their
/// columns, phases, kinds, operations, parameters, traced functions and `outputs`, each list in the order of
/// its table.
std::string dictionary_json(std::span<const OutputNames> outputs);

}  // namespace nsb::report
