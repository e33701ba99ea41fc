// A command in new namespaces: nsbench outside, an init inside, the command as the init's child.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "isolate/container.h"

namespace nsb::isolate {

struct Program {
    Recipe recipe;
    bool proc = false;    ///< /proc mounted anew
    bool net_lo = false;  ///< the loopback interface set up
    std::optional<std::string> hostname;
    std::vector<std::string> command;  ///< with its name first
};

/// A step inside failed; the text says which.
class NotTaken : public std::runtime_error {
  public:
    NotTaken(const std::string& text, int error) : std::runtime_error(text), error_(error) {}
    [[nodiscard]] int error() const { return error_; }

  private:
    int error_;
};

/// Runs it to its end and returns its exit code as a shell would: 128+N for signal N, 127 where there is no
/// such command, 126 where it cannot be run. Signals to this process are passed on; where the command stops,
/// this process stops. Everything inside ends with this process. Throws NotMade,
/// NotTaken, SystemError where a step before the command failed.
int execute(const Program& program);

}  // namespace nsb::isolate
