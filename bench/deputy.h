// The deputy: a process that carries out one block under conditions, and is gone with them when the block is
// over. It is this program again, by exec: what is timed there is a process like the sampler, and not a copy
// of one, whose clones would copy more.
#pragma once

#include "block.h"

namespace nsb::bench {

/// Carries the request out by a deputy with all its conditions: how many records are filled. What cannot be
/// set up is the block's failure. Samplers at once meet when all have set up theirs.
[[nodiscard]] std::uint32_t carry_out_by_deputy(const protocol::Request& request, SharedMemory& memory,
                                               sys::Fd& barrier);

/// The deputy itself: its exit code.
int serve_as_deputy();

}  // namespace nsb::bench
