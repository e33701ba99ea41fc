// What a sampler may do: no more than its cases need.
#pragma once

#include "core/protocol.h"

namespace nsb::bench {

/// Goes to /, and gives up all capabilities but those that a word of the arguments allows (protocol::kKeep),
/// for good: a program that root starts has what the bounding set has. What cannot be given up is kept, and
/// the failure says why. Not no_new_privs: each fork would hand it on by an instruction of its own
/// (copy_seccomp() in kernel/fork.c), and what is started from here is this program and the pages that it
/// carries, or a container runtime, whose programs may gain privileges.
protocol::Privilege give_up(const char* const* arguments);

}  // namespace nsb::bench
