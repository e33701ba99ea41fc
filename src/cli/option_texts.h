// What is said of a command's options where it is not parsed: completed, or described for other programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command_table.h"

namespace nsb::cli {

struct OptionText {
    std::string name;        ///< "--filter"
    std::string short_name;  ///< "-h"; empty for most
    std::string value;       ///< "REGEX"; empty where it takes none
    std::string meaning;
    bool is_value_optional = false;      ///< then it is joined to the name by a =
    std::vector<std::string> choices{};  ///< all that is accepted, where that is a list of words
};

struct OptionGroup {
    std::string title;
    std::vector<OptionText> options;
};

/// Those of a command that is no script, Google Benchmark's among them.
std::vector<OptionGroup> option_groups(Command command);

/// All commands of this installation with their options, as JSON: what the manual is made of. Of those that
/// are scripts only what the table says.
std::string commands_json(std::string_view version);

}  // namespace nsb::cli
