// The options of the commands: one table for parsing, for the help, and for what completes them.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <string>

#include "cli/command_table.h"

namespace nsb::cli {

/// The options that a command takes.
boost::program_options::options_description options_of(Command command);

/// What `nsbench COMMAND --help` prints.
std::string help_text(const CommandText& command);

}  // namespace nsb::cli
