// The sandbox that container runtimes are started in: a pid and a mount namespace of their own (as an
// ordinary user, in a user namespace), with /run an empty tmpfs that holds the bundle and what runtimes keep
// there. However it ends, the kernel ends what is inside, and all that was written is gone.
#pragma once

#include "block.h"

namespace nsb::bench {

/// Calls `serve` in the first process of the sandbox, and watches over it from outside: when nsbench or the
/// sandbox is gone, so is the other, and the cgroups that runtimes left are removed. Returns when all is
/// over.
int serve_in_sandbox(int (*serve)());

/// How making the sandbox failed; {} where this process is in one.
[[nodiscard]] Failure sandbox_failure();

}  // namespace nsb::bench
