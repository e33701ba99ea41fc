// For tests: a process to which /proc is another pid namespace's. Needs root.
#pragma once

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/child.h"

namespace nsb::sys {

/// Runs `look` in the first process of a new pid namespace that has kept /proc; its exit status.
template <typename Look>
int in_new_pid_namespace(Look look) {
    const auto outer = plain_fork();
    if (outer && *outer == 0) {
        if (unshare(CLONE_NEWPID) != 0) _exit(100);
        const auto first = plain_fork();
        if (first && *first == 0) _exit(look());
        _exit(first ? WEXITSTATUS(reap(*first).value_or(0xff00)) : 101);
    }
    return outer ? WEXITSTATUS(reap(*outer).value_or(0xff00)) : 102;
}

}  // namespace nsb::sys
