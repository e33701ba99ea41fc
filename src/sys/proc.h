// Processes in /proc, which may be of another pid namespace than this process's own (`unshare -pf` without
// `--mount-proc`): there they have other numbers, and the numbers here are other processes'.
#pragma once

#include <sys/types.h>

#include "sys/fd.h"

namespace nsb::sys {

/// This process's number in /proc.
struct OwnNumber {
    pid_t in_proc;
    bool is_the_same;  ///< in the process's own pid namespace
};

/// As the file says that /proc/self/status is. Errors: those of open(2) and read(2); ENODATA where it says
/// none.
Result<OwnNumber> own_number(const char* status = "/proc/self/status");

/// Whether /proc has the numbers of this process's pid namespace. Errors: those of open(2) and read(2);
/// ENOENT where /proc does not show this process at all, or is none.
Result<bool> proc_is_ours();

/// The number in /proc of the process that is `pid` here. ESRCH where /proc does not show it, or hides it
/// (hidepid=2). A child keeps its number until it is reaped.
Result<pid_t> number_in_proc(pid_t pid);

/// Opens /proc/PID/NAME of the process that is `pid` here. Errors: those of number_in_proc() and open(2).
Result<Fd> open_in_proc(pid_t pid, const char* name, int flags);

}  // namespace nsb::sys
