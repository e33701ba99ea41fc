// The first process inside, when a command is run: what an init owes to the others.
#pragma once

#include <sys/signalfd.h>

#include <csignal>
#include <vector>

#include "isolate/exec.h"

namespace nsb::isolate {

/// What the init and nsbench outside tell each other, over a socket that keeps messages apart.
struct Message {
    enum class What : std::uint8_t {
        failed,     ///< init: a step before the command; `number` is its errno, `text` the call
        stopped,    ///< init: the command was stopped
        continued,  ///< init: it goes on
        ended,      ///< init: the command's wait status is `number`
        signal      ///< nsbench: signal `number` was sent to it
    };
    What what;
    int number;
    char text[120];
};

/// Which signals nsbench and the init take notice of, and pass on, instead of being ended or stopped by them:
/// all that can be sent from outside and are no consequence of their own doing.
sigset_t passed_on();

/// Whether someone sent it; or the kernel, to a session's leader whose terminal hung up or a stopped group
/// that is orphaned. What else a terminal sends, it sends to the command as well.
bool is_sent(const signalfd_siginfo& info);

/// The processes that this one becomes the parent of: without a pid namespace they outlive an init that is
/// killed. As their subreaper it is in time the parent of all that are left, however deep they were.
class Offspring {
  public:
    /// Before the first: those that are there already are none of them. What is mounted on /proc later does
    /// not matter.
    Offspring();

    /// Kills them until none is left. `known`: one of them, also where the kernel does not list children.
    void end_all(pid_t known = -1) const;

  private:
    /// As /proc numbers them, which may be of an outer pid namespace.
    [[nodiscard]] std::vector<pid_t> now() const;
    void end(pid_t child) const;
    sys::Fd proc_;
    sys::Fd list_;
    bool proc_is_ours_;
    std::vector<pid_t> before_;
};

/// Takes the steps inside, runs the command in a child, reaps whatever ends, passes signals on. Returns the
/// exit code. `mask` is the signal mask that the command starts with.
int run_init(const CommandInside& program, const sys::Fd& channel, const sigset_t& mask);

/// Makes `group` the terminal's foreground process group.
void give_terminal(const sys::Fd& terminal, pid_t group);

}  // namespace nsb::isolate
