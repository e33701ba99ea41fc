// What the running kernel's BTF says of its tracepoints: their arguments moved between releases.
#pragma once

#include <linux/types.h>

#include <cstdint>

#include "bpf/events.h"

struct btf;

namespace nsb::probe {

/// Where the programs find sizes and addresses.
nsb_config find_layout(const btf* kernel);

/// How many arguments a tracepoint has; 0 where there is none.
std::uint32_t count_arguments(const btf* kernel, const char* tracepoint);

}  // namespace nsb::probe
