// The first process inside, when a command is run: what an init owes to the others.
#pragma once

#include <csignal>

#include "isolate/exec.h"

namespace nsb::isolate {

/// What the init and nsbench outside tell each other, over a socket that keeps messages apart.
struct Message {
    enum class What : std::uint8_t {
        failed,   ///< init: a step before the command; `number` is its errno, `text` the call
        stopped,  ///< init: the command was stopped
        ended,    ///< init: the command's wait status is `number`
        signal,   ///< nsbench: pass on signal `number`
        go_on     ///< nsbench: continue the command
    };
    What what;
    int number;
    char text[120];
};

/// Which signals nsbench and the init take notice of, and pass on, instead of being ended or stopped by them:
/// all that can be sent from outside and are no consequence of their own doing.
sigset_t passed_on();

/// Takes the steps inside, runs the command in a child, reaps whatever ends, passes signals on. Returns the
/// exit code. `mask` is the signal mask that the command starts with.
int run_init(const Program& program, const sys::Fd& channel, const sigset_t& mask);

/// Makes `group` the terminal's foreground process group.
void give_terminal(const sys::Fd& terminal, pid_t group);

}  // namespace nsb::isolate
