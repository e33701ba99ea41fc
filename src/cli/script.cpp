#include "cli/script.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "run/sampler.h"
#include "sys/error.h"
#include "sys/process.h"

namespace nsb::cli {
namespace {

constexpr const char* kPython = "/usr/bin/python3";
constexpr const char* kStartedBy = "NSBENCH_PROGRAM";  ///< scripts/analysis/programs.py reads it

/// Beside nsbench's own folder, in the order in which they are looked for.
struct Folders {
    std::filesystem::path built, installed;
};

Folders folders() {
    const std::filesystem::path here = sys::own_program().parent_path();
    return {here / "nsbench-scripts", (here / "../lib/nsbench/scripts").lexically_normal()};
}

std::filesystem::path folder_of_scripts() {
    const Folders found = folders();
    std::error_code error;
    return std::filesystem::is_directory(found.built, error) ? found.built : found.installed;
}

}  // namespace

std::optional<std::filesystem::path> script_file(std::string_view name) {
    try {
        std::filesystem::path file = folder_of_scripts() / fmt::format("{}.py", name);
        std::error_code error;
        if (std::filesystem::is_regular_file(file, error)) return file;
    } catch (const sys::SystemError&) {
        // Without /proc it is not known where this program is; the others are listed all the same.
    }
    return std::nullopt;
}

void become_script(std::string_view name, const std::vector<std::string>& words,
                   const isolate::Dispositions& inherited) {
    const auto file = script_file(name);
    if (!file) {
        throw run::NotPermitted(
            fmt::format("{}: this installation has no {}/{}.py; build or install it whole", name,
                        folder_of_scripts().native(), name));
    }
    std::vector<std::string> command{kPython};
    // An installation's folder keeps the files that it was installed with.
    if (*file == folders().installed / file->filename()) command.emplace_back("-B");
    command.push_back(file->native());
    command.insert(command.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    setenv(kStartedBy, sys::own_program().c_str(), 1);
    std::signal(SIGPIPE, inherited.pipe);
    std::signal(SIGCHLD, inherited.child);
    std::signal(SIGXFSZ, inherited.file_size);
    execv(kPython, arguments.data());
    const int error = errno;
    std::signal(SIGPIPE, SIG_IGN);
    if (error != ENOENT) throw sys::SystemError("execve", kPython, error);
    throw run::NotPermitted(fmt::format("{}: {} is missing: apt-get install python3", name, kPython));
}

}  // namespace nsb::cli
