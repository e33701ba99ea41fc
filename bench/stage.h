// The stage of a block: namespaces of its own, in which it prepares what its samples need. The host sees
// nothing of that, and the kernel clears it up however the sampler ends.
#pragma once

#include "block.h"

namespace nsb::bench {

/// Calls `samples` inside new namespaces of `kinds`, which are mnt, net or both; mounts in there are private.
/// The sampler itself enters them and comes back, so that the samples are forks of it as all others are. An
/// ordinary user needs a user namespace for that, which nobody leaves again: then a child carries out the
/// block.
void on_stage(Block& block, KindSet kinds, void (*samples)(Block& block));

}  // namespace nsb::bench
