// Where container runtimes are started: a pid and a mount namespace of their own (as an ordinary user, in a
// user namespace), with /run an empty tmpfs that holds the bundle and what runtimes keep there. However it
// ends, the kernel ends what is inside, and all that was written is gone.
#pragma once

#include "block.h"

namespace nsb::bench {

/// Calls `serve` in the first process of the stage, and watches over it from outside: when nsbench or the
/// stage is gone, so is the other, and the cgroups that runtimes left are removed. Returns when all is over.
int serve_on_stage(int (*serve)());

/// How making the stage failed; {} where this process is on one.
[[nodiscard]] Failure stage_failure();

}  // namespace nsb::bench
