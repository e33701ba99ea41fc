// The dictionary: what the result files' columns, and the names in them, mean.
#pragma once

#include <string>

namespace nsb::report {

/// The columns of each result file, in Markdown, as they stand in results/README.md.
std::string dictionary_markdown();

/// All of it as one JSON object, as it stands in scripts/answers/dictionary.json: the result files and their
/// columns, phases, kinds, operations, parameters and traced functions, each list in the order of its table.
std::string dictionary_json();

}  // namespace nsb::report
