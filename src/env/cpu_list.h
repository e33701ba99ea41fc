// CPUs as the kernel lists them: "0-3,8,10-11" (cpuset(7), List format).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace nsb::env {

using CpuSet = std::set<int>;

/// Nothing where the text is no list.
std::optional<CpuSet> parse_cpus(std::string_view text);

/// As the kernel writes it: neighbours are always a range.
std::string to_text(const CpuSet& cpus);

/// Those of `all` that are not among `others`.
CpuSet without(const CpuSet& all, const CpuSet& others);

}  // namespace nsb::env
