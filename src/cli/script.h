// Commands that are scripts: found beside nsbench and run in its place, as git does with its own.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolate/exec.h"

namespace nsb::cli {

/// A script's file. Nothing where it is not there: what is looked through is the folder that a build links
/// beside nsbench, and that of an installation. No variable adds to them, since nsbench may run as root.
std::optional<std::filesystem::path> script_file(std::string_view name);

/// Becomes the script, which is told by NSBENCH_PROGRAM which nsbench has started it. Returns only by
/// throwing run::NotPermitted, with what to install.
[[noreturn]] void become_script(std::string_view name, const std::vector<std::string>& words,
                                const isolate::Dispositions& inherited);

}  // namespace nsb::cli
