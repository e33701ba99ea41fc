// workers:threads: samplers that share one mm, as the threads of a container manager do.
#pragma once

#include "block.h"

namespace nsb::bench {

/// Whether the samplers of this block share one mm: it is asked of one of them, which makes the others.
[[nodiscard]] bool shares_mm(const protocol::Request& request);

/// Carries out a block together with as many others as are asked for, which live no longer than it. Each has
/// its records in its own window of the shared file (SharedMemory::worker says how many); the result is the
/// number of this one's.
std::uint32_t carry_out_together(const protocol::Request& request, SharedMemory& memory);

/// What this process and its children have taken, without those that shared its mm.
[[nodiscard]] protocol::Usage usage();

}  // namespace nsb::bench
