// What a failed call means, in words.
#pragma once

#include <string>

#include "core/protocol.h"

namespace nsb {

/// What stands behind an ESRCH of a process that is there, and what to do.
inline constexpr const char* kForeignProc =
    "/proc is of another pid namespace, or hides processes (hidepid): mount one of this pid namespace, as "
    "unshare -pf "
    "--mount-proc and nsbench exec --ns=pid,mnt --proc do";

/// EPERM, ENOSYS and their like: a case that this kernel or this privilege does not have, rather than one
/// that broke.
bool is_unsupported(const protocol::Failure& failure);

/// An errno's name, such as ENOSPC.
std::string errno_name(int error);

/// What a failed call means and, where something can be done, what.
std::string explain(const protocol::Failure& failure);

}  // namespace nsb
