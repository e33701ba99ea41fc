// The functions behind the table of checks, and what they share. For the checks' own sources only.
#pragma once

#include <string>
#include <string_view>

#include "env/checks.h"

namespace nsb::env::detail {

/// Nothing to say but what was seen.
Finding fine(std::string observed);

/// A setting that cannot be read: a note of what it may do, and why nothing can be done.
Finding unseen(std::string effect, std::string_view reason);

/// A remedy where there is no command for it.
std::string no_remedy(std::string_view reason);

// checks_cpu.cpp
Finding frequency_governor(const Root& root);
Finding turbo_boost(const Root& root);
Finding smt_siblings(const Root& root);
Finding steal_time(const Root& root);
Finding load(const Root& root);
Finding clocksource(const Root& root);
Finding virtualisation_layer(const Root& root);

// checks_kernel.cpp
Finding cpu_mitigations(const Root& root);
Finding transparent_huge_pages(const Root& root);
Finding mount_count(const Root& root);
Finding mount_propagation(const Root& root);
Finding proc(const Root& root);
Finding proc_overmounts(const Root& root);
Finding teardown_backlog(const Root& root);
Finding rcu(const Root& root);
Finding lockdown(const Root& root);
Finding probe(const Root& root);

// checks_limits.cpp
Finding capabilities(const Root& root);
Finding user_namespaces(const Root& root);
Finding seccomp(const Root& root);
Finding namespace_limits(const Root& root);
Finding process_limit(const Root& root);
Finding pid_max(const Root& root);
Finding open_files(const Root& root);

}  // namespace nsb::env::detail
