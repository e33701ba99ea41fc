// Namespaces of a block's own, in which it prepares what its samples need. The host sees nothing
// of that, and the kernel clears it up however the sampler ends.
#pragma once

#include "block.h"

namespace nsb::bench {

/// Calls `samples` inside new namespaces of `kinds`, which are mnt, net or both; mounts in there are private.
/// The sampler itself enters them and comes back, so that the samples are forks of it as all others are. An
/// ordinary user needs a user namespace for that, which nobody leaves again: then a child carries out the
/// block.
void in_own_namespaces(Block& block, KindSet kinds, void (*samples)(Block& block));

}  // namespace nsb::bench
