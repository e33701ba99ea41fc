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
/// measurements. The others stay permitted, and are in effect again behind it: a fault of the work does not
/// have them by chance; code that somebody brought here could take them back. Throws SystemError where they
/// cannot be put in effect again; where they cannot be taken out of it, says so once, on standard error.
void with_rights_over_files(const std::function<void()>& work);

/// Whether so many more descriptors can be opened. Libraries that fail for want of one say another errno, and
/// a later call's.
bool can_open(std::size_t descriptors);

/// Why a process that must be there is not found in /proc, and what helps.
std::string_view what_ails_proc();

}  // namespace nsb::sys
