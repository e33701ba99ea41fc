// A command in new namespaces: nsbench outside, an init inside, the command as the init's child.
#pragma once

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "isolate/container.h"

namespace nsb::isolate {

/// What this process was started with for signals whose dispositions it has changed since: the command's.
struct Dispositions {
    void (*pipe)(int) = SIG_DFL;
    void (*child)(int) = SIG_DFL;
    void (*file_size)(int) = SIG_DFL;
};

struct CommandInside {
    Recipe recipe;
    bool proc = false;    ///< /proc mounted anew
    bool net_lo = false;  ///< the loopback interface set up
    std::optional<std::string> hostname;
    std::vector<std::string> command;  ///< with its name first
    Dispositions inherited;
};

/// Runs it to its end and returns its exit code as a shell would: 128+N for signal N, 127 where there is no
/// such command, 126 where it cannot be run. Signals to this process are passed on, unless they went to its
/// whole process group and so to the command as well. Where the command stops and a shell could continue this
/// process, it stops too, and goes on when the command does. Everything inside ends with this process. Throws
/// NotMade, NotTaken, SystemError where a step before the command failed.
int execute(const CommandInside& program);

}  // namespace nsb::isolate
