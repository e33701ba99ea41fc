// What this process may do, and whether it may do more of it.
#pragma once

#include <cstddef>
#include <optional>

#include "core/capabilities.h"

namespace nsb::sys {

/// The capabilities in effect, by capget(2): it needs no /proc.
std::optional<Capabilities> held_capabilities();

/// Whether so many more descriptors can be opened. Libraries that fail for want of one say another errno, and
/// a later call's.
bool can_open(std::size_t descriptors);

}  // namespace nsb::sys
