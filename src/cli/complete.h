// What may follow on the command line, for the shells' completion.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace nsb::cli {

/// What stands for names that the shell knows itself.
inline constexpr const char* kFiles = ":file";
inline constexpr const char* kFolders = ":folder";
inline constexpr const char* kPrograms = ":command";

/// What may be in the place of the last word, which has been begun and may be empty: a line each, a tab, and
/// what it means. A whole word each time, also of a list with commas; a line ":file", ":folder" or ":command"
/// stands for what the shell knows.
std::string candidates(const std::vector<std::string>& words);

/// Where what a script takes is to be completed, which only it knows: the words for scripts/described.py.
std::optional<std::vector<std::string>> completed_by_script(const std::vector<std::string>& words);

}  // namespace nsb::cli
