// What a failed call means, in words.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/capabilities.h"
#include "core/kinds.h"
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

/// Whether the call is that of a condition, which could not be set up.
bool is_of_condition(protocol::Call call);

/// An errno's name, such as ENOSPC.
std::string errno_name(int error);

/// What stands behind an errno that is about this place rather than about what was asked, and what helps: a
/// limit of processes, of open files, of memory, of a file's size. Empty for all others.
std::string_view limit_behind(int error);

/// The same of a call that makes namespaces, whose number is limited as well.
std::string_view limit_behind_call(int error);

/// Whether limit_behind_call() has an answer for the errno of that name.
bool is_named_limit(std::string_view errno_name);

/// What a failed call means and, where something can be done, what. `set` is the case's, `held` the
/// capabilities that the process had, where they are known.
std::string explain(const protocol::Failure& failure, KindSet set = {},
                    std::optional<Capabilities> held = {});

}  // namespace nsb
