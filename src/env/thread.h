// What /proc says of a thread, by its folder there: /proc/PID/task/TID.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "env/files.h"
#include "sys/fd.h"
#include "sys/refusal.h"

namespace nsb::env::detail {

/// Why no thread may be told by its number in /proc, if so: here that may be another one's.
std::optional<sys::Refusal> foreign_numbers();

/// A field of its `stat`, as proc_pid_stat(5) counts them: from the third on, which is behind the name.
/// Errors: those of open(2) and read(2), where the thread has ended ENOENT or ESRCH; ENODATA where there is
/// none.
sys::Result<std::string> stat_field(const Root& root, const std::string& folder, std::size_t number);

/// When it started, in clock ticks since boot. A thread that has its number later started later. Errors:
/// those of stat_field(); ENODATA where it is no number.
sys::Result<std::uint64_t> start_of(const Root& root, const std::string& folder);

/// Whether it belongs to the kernel.
bool is_of_kernel(const Root& root, const std::string& folder);

/// The CPUs that it may run on.
std::optional<std::string> affinity_of(const Root& root, const std::string& folder);

}  // namespace nsb::env::detail
