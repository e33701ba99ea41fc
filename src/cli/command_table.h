// The commands of nsbench, those that are scripts among them: one table for the command line, the help, the
// manual and completion.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/options.h"

namespace nsb::cli {

/// What commands are listed under; those of `hidden` are for other programs, and are not listed.
enum class Group { measure, look, compare, kernels, isolation, help, hidden };

/// What of root's rights a command is there for.
enum class Rights { all, over_files };

struct CommandText {
    Command command;
    Group group;
    std::string_view name;
    std::string_view usage;
    std::string_view brief;  ///< for a line of a list
    std::string_view what;   ///< for its help
    Rights rights = Rights::all;
};

std::string_view title_of(Group group);

/// Those that this installation has: of the scripts only those whose file is there.
std::span<const CommandText> commands();

/// By its name; null where no command is called so. A script is found though its file is missing.
const CommandText* find_command(std::string_view name);

/// Of a command that is no script.
const CommandText& text_of(Command command);

/// What this command line's command is there for.
Rights rights_for(const Options& options);

/// The commands by their groups, a line each.
std::string command_lines();

/// What `nsbench help` prints.
std::string overview();

/// "'lst' is no command; nearest: 'list'", with all commands below.
UsageError no_command(std::string_view word);

}  // namespace nsb::cli
