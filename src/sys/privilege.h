// What this process may do, and what stands in its way.
#pragma once

#include <cstddef>
#include <functional>
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

/// Does `work` with no capabilities in effect but those over files: what reads and writes results between
/// measurements. The others stay permitted, and are in effect again behind it. So a mistake in the work does
/// not have them; code that somebody brought here could take them back, and a program that root starts within
/// the work has all of them, unless it gives them up. The value is why they stayed in effect, if they did.
/// Throws what the work throws. Where they cannot be put in effect again, the process ends with a line and
/// exit code 1, since nothing behind it could be relied on.
[[nodiscard]] Expected<void> with_rights_over_files(const std::function<void()>& work);

/// Whether so many more descriptors can be opened. Libraries that fail for want of one say another errno, and
/// a later call's.
bool can_open(std::size_t descriptors);

/// Why a process that must be there is not found in /proc, and what helps.
std::string_view what_ails_proc();

}  // namespace nsb::sys
