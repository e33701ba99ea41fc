// A sampler's answer, as it stands in a message and in shared memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/protocol.h"

namespace nsb::run {

/// Whether a record is one that a sampler makes: a call and an errno that there are, or times that can be
/// kept (kMostTicks).
[[nodiscard]] bool is_sound(const protocol::Record& record);

/// The first `count` records of this memory, with one of which at least the sampler has answered. Nothing
/// where it has not: there is no room for so many, or one is not sound. Copied first: a child that outlives
/// its sampler may still write there.
[[nodiscard]] std::optional<std::vector<protocol::Record>> records_of(const protocol::SharedMemory& memory,
                                                                      std::uint32_t count);

}  // namespace nsb::run
