// What the running kernel's BTF says of its tracepoints: their arguments moved between releases.
#pragma once

#include <linux/types.h>

#include "bpf/events.h"

struct btf;

namespace nsb::probe {

/// Where the programs find sizes and addresses.
nsb_config find_layout(const btf* kernel);

bool has_tracepoint(const btf* kernel, const char* name);

}  // namespace nsb::probe
