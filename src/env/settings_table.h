// The functions behind the table of settings, and what they share. For the settings' own sources only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "env/cpu_list.h"
#include "env/settings.h"

namespace nsb::env::detail {

inline constexpr std::string_view kOnline = "/sys/devices/system/cpu/online";

/// The CPUs online; none where the kernel does not say.
CpuSet online(const Root& root);

/// The measuring CPU and its siblings.
CpuSet core_of(const Target& target);

/// The threads with an affinity of their own that has some of `touched`: what takes the CPUs `lost` from a
/// cpuset, or all threads of it, makes the kernel forget theirs (before 6.2; user_cpus_ptr in
/// kernel/sched/core.c).
std::vector<Change> own_affinities(const Target& target, const CpuSet& touched, const CpuSet& lost);

/// The point where a hierarchy of version 1 with cpusets is mounted; nothing where there is none.
std::optional<std::string> old_cpusets(const Root& root);

#define NSB_SETTING(id, function, extent, why) Planned function(const Target& target);
#include "env/settings.def"
#undef NSB_SETTING

}  // namespace nsb::env::detail
