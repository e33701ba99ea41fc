// Files: read whole or line by line, and written so that they appear under their names whole or not at all.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sys/fd.h"

namespace nsb::sys {

/// What standard output is called in errors.
inline constexpr std::string_view kStandardOutput = "standard output";

/// The content of a file, or the errno of what failed: the one reader of whole files. It does not wait for
/// who might write to a pipe.
Result<std::string> read_file(const std::filesystem::path& path);

/// Gives each line of a file, without its end, to `visit` until that says false: for a long file of which the
/// beginning may do. The errno of what failed.
Result<void> read_lines(const std::filesystem::path& path,
                        const std::function<bool(std::string_view line)>& visit);

/// As read_file(), for what might have been put there by somebody else: links are followed as find_place()
/// allows, and only regular files are read that is_trusted(). Throws SystemError.
std::string read_own_file(const std::filesystem::path& path, int at);
/// The same file, open for reading.
Fd open_own_file(const std::filesystem::path& path, int at);

/// Writes all of `text`, retrying short writes. Throws SystemError.
void write_all(int fd, std::string_view text, std::string_view name);

/// Replaces the file `path` by `text`: written beside it under a name of its own, then renamed. Owner and
/// mode of what is replaced are kept. Links are followed as find_place() allows. What is no regular file (a
/// device, a pipe) is written to as it is, and so is what this process has open (/dev/stdout, /dev/fd/3); `-`
/// is standard output. A relative path begins in the folder `at`. Throws SystemError; no half-written file
/// stays behind.
void replace_file(const std::filesystem::path& path, std::string_view text, int at = AT_FDCWD);

/// A text that is made piece by piece, since it is too long to be held: gives each to `put`.
using Put = std::function<void(std::string_view piece)>;
using Pieces = std::function<void(const Put& put)>;

/// As replace_file() of a text. What the file is now; nothing where it is no regular one with a name.
std::optional<struct stat> replace_file(const std::filesystem::path& path, const Pieces& pieces,
                                        int at = AT_FDCWD);

/// Throws SystemError where replace_file could not write `path`: found out before a run rather than after it.
void check_writable(const std::filesystem::path& path, int at = AT_FDCWD);

/// Removes the file that replace_file() is writing, if there is one: for who ends within it, without
/// destructors. Takes no memory.
void remove_unfinished();

/// Removes what a killed process has left half written in this folder; where others can write to it, only
/// what belongs to the caller.
void remove_leftovers(const Fd& folder);

/// Writes what can be written and never fails: for messages, which have nowhere else to go.
void try_write(int fd, std::string_view text);

}  // namespace nsb::sys
