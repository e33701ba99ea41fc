// What this process may do, and what stands in its way.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "core/capabilities.h"
#include "sys/refusal.h"

namespace nsb::sys {

/// The capabilities in effect, by capget(2): it needs no /proc.
std::optional<Capabilities> held_capabilities();

/// Gives up, for good, all capabilities but those over files, and what this process starts has no other
/// either: for work on results, which needs none. What is refused does not keep the rest from being given up.
[[nodiscard]] Expected<void> give_up_all_but_files();

/// Whether so many more descriptors can be opened. Libraries that fail for want of one say another errno, and
/// a later call's.
bool can_open(std::size_t descriptors);

/// Why a process that must be there is not found in /proc, and what helps.
std::string_view what_ails_proc();

}  // namespace nsb::sys
