// The options of the commands: one table for parsing, for the help, and for what completes them.
#pragma once

#include <boost/program_options/options_description.hpp>
#include <string>
#include <vector>

#include "cli/command_table.h"

namespace nsb::cli {

/// The options that a command takes, in the parts that its help has, and all of them together, which are put
/// together once.
std::vector<boost::program_options::options_description> parts_of(Command command);
const boost::program_options::options_description& options_of(Command command);

/// What a command's help says below its options.
std::string notes_of(Command command);

/// What `nsbench COMMAND --help` prints.
std::string help_text(const CommandText& command);

}  // namespace nsb::cli
