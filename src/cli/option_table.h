// The commands and their options: one table for parsing and for the help.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <span>
#include <string>
#include <string_view>

#include "cli/options.h"

namespace nsb::cli {

struct CommandText {
    Command command;
    std::string_view name;
    std::string_view usage;
    std::string_view what;
};

std::span<const CommandText> command_texts();

/// The options that a command takes.
boost::program_options::options_description options_of(Command command);

/// What `nsbench COMMAND --help` prints.
std::string help_text(Command which);

}  // namespace nsb::cli
