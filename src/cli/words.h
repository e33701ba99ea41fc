// The words of a command line: which is the command, which are options, their values, or neither.
#pragma once

#include <boost/program_options/variables_map.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_table.h"
#include "cli/options.h"

namespace nsb::cli {

/// Takes the command out of the words: the first one that is neither an option nor the value of one, wherever
/// it stands; `run` where there is none. Throws UsageError where there is no such command.
const CommandText* take_command(std::vector<std::string>& words);

/// Takes out the first word that is neither an option nor the value of one; empty where there is none.
std::string take_word(std::vector<std::string>& words, Command command);

/// Takes out what stands behind --: it is a command's, also where it looks like an option.
std::vector<std::string> take_behind_dashes(std::vector<std::string>& words);

/// "--probe=fenty: accepted is auto, fentry or off; nearest: 'fentry'".
UsageError none_of(std::string_view option, std::string_view value, std::span<const std::string_view> names);

/// Throws UsageError, which names the word that is wrong.
boost::program_options::variables_map parse_words(std::vector<std::string> words, Command command);

/// Google Benchmark's own options. Those that select are turned into ours: they are about case ids, not about
/// the names that it makes of them.
void take_benchmark_options(std::vector<std::string>& words, Options& options);

}  // namespace nsb::cli
