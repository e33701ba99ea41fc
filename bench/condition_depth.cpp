// depth: so many user and pid namespaces within one another, the caller in the innermost. Done on the way
// to the deputy: each level's first process waits for the next.
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <csignal>

#include "conditions.h"
#include "sys/id_maps.h"

namespace nsb::bench {
namespace {

[[noreturn]] void end_with(pid_t child) {
    const auto status = sys::reap(child);
    _exit(status && WIFEXITED(*status) ? WEXITSTATUS(*status) : 1);
}

}  // namespace

/// Returns in the innermost process, or where one could not be made.
Failure set_up_depth(Setting& here) {
    for (std::uint64_t level = 0; level < here.value; ++level) {
        const sys::IdMaps maps;
        const auto pid = sys::checked(make_namespace([] {
            return syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, nullptr, nullptr, nullptr, 0);
        }));
        if (!pid) return here.failed(pid.error());
        if (*pid != 0) end_with(static_cast<pid_t>(*pid));
        die_with_parent(here.tie);
        if (const Failure failure = maps.write_own(); failure.error != 0) return here.failed(failure.error);
    }
    return {};
}

}  // namespace nsb::bench
