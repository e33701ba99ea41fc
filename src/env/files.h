// How this module reads: small files below a root, whole, without an error that could stop a run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/capabilities.h"
#include "sys/privilege.h"

namespace nsb::env {

/// What is read: the machine, or what a test makes up.
struct Root {
    std::string prefix;  ///< put before each absolute path
    std::optional<Capabilities> held = sys::held_capabilities();
};

/// What a reading says that could not be made. Nothing is guessed in its place.
inline constexpr std::string_view kUnknown = "unknown";

/// The whole file; nothing where it cannot be opened or read.
std::optional<std::string> read_text(const Root& root, std::string_view path);

/// Its first line, without white space around it.
std::optional<std::string> first_line(const Root& root, std::string_view path);

/// Its first line as a whole number.
std::optional<std::uint64_t> number(const Root& root, std::string_view path);

/// What a symbolic link says.
std::optional<std::string> link_target(const Root& root, std::string_view path);

/// The names in a directory, sorted; none where it cannot be read.
std::vector<std::string> names_in(const Root& root, std::string_view directory);

/// The parts between white space.
std::vector<std::string> words(std::string_view text);

/// The value of the first line `key : value`, as in /proc/cpuinfo, /proc/meminfo and /proc/PID/status.
std::optional<std::string> field(std::string_view text, std::string_view key);

/// The choice in force, as the kernel marks it: `madvise` of `always [madvise] never`.
std::optional<std::string> marked(std::string_view text, std::string_view brackets = "[]");

}  // namespace nsb::env
