// The capability sets of this thread, and how they are cut for good. Free of the standard library's run-time
// parts, because the sampler uses it.
#pragma once

#include <cstdint>

#include <linux/capability.h>

#include "sys/fd.h"

namespace nsb::sys {

/// The permitted, effective, inheritable and ambient sets: capabilities(7). Bit N is the capability N.
class CapabilitySets {
  public:
    static Result<CapabilitySets> read();

    [[nodiscard]] std::uint64_t permitted() const;
    [[nodiscard]] std::uint64_t effective() const;
    /// Whether there is nothing to be cut.
    [[nodiscard]] bool are_within(std::uint64_t kept) const;
    /// Leaves no other capability in any of them; the ambient set follows the inheritable one. The errno of
    /// capset(2), or 0.
    [[nodiscard]] int cut(std::uint64_t kept);
    /// Leaves no other capability in effect, and puts those of them in effect that are permitted. The errno
    /// of capset(2), or 0.
    [[nodiscard]] int put_in_effect(std::uint64_t effective);

  private:
    __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data_[_LINUX_CAPABILITY_U32S_3]{};
};

/// Whether a program has what the bounding set has, just because this process starts it: that of root, by
/// either of its ids.
bool starts_with_bounding_set();

/// Leaves no other capability in the bounding set, which is what a program has that root starts. It takes
/// CAP_SETPCAP. The errno of prctl(2), or 0.
[[nodiscard]] int cut_bounding_set(std::uint64_t kept);

}  // namespace nsb::sys
