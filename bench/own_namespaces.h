// Namespaces of a block's own, in which it prepares what its samples need. The host sees nothing
// of that, and the kernel clears it up however the sampler ends.
#pragma once

#include "block.h"

namespace nsb::bench {

/// Goes to new namespaces of these kinds, in a user namespace of one's own where that is asked for. Where
/// there is a mount namespace among them, all mounts in it are made private, unless they are to keep their
/// peers.
enum class Mounts : bool { made_private, kept };
[[nodiscard]] Failure enter_new(KindSet kinds, bool in_userns, Mounts mounts = Mounts::made_private);

/// Calls `samples` inside new namespaces of `kinds`, which are mnt, net or both; mounts in there are private.
/// The sampler itself enters them and comes back, so that the samples are forks of it as all others are. An
/// ordinary user needs a user namespace for that, which nobody leaves again: then a child carries out the
/// block. Under mounts or peers the block is in a mount namespace of its own already, whose mounts stay as
/// they are, and in that user namespace.
void in_own_namespaces(Block& block, KindSet kinds, void (*samples)(Block& block));

}  // namespace nsb::bench
