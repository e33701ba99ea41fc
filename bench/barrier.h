// Where samplers that work at the same time wait for each other.
#pragma once

#include "core/protocol.h"
#include "sys/fd.h"

namespace nsb::bench {

/// Waits until `at_once` samplers are here (for `more` ns more than usual), closes `barrier`, and returns at
/// the same moment in all of them: that moment. Nothing of the barrier is left mapped or open then: it would
/// be part of what is timed. Fails with Call::sampler: ETIMEDOUT where the others do not come.
[[nodiscard]] tl::expected<std::uint64_t, protocol::Failure> meet(sys::Fd& barrier, std::uint32_t at_once,
                                                                  std::uint64_t more = 0);

/// The same where the barrier lies in memory that all of them share anyway.
[[nodiscard]] tl::expected<std::uint64_t, protocol::Failure> meet(protocol::Barrier& barrier,
                                                                  std::uint32_t at_once);

}  // namespace nsb::bench
