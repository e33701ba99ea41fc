// Steps of a container's start, taken inside.
#pragma once

#include <string>

#include "sys/fd.h"

namespace nsb::isolate {

/// Cuts the propagation of all mounts, so that none made from here on is seen outside. Throws SystemError.
void make_own_mounts();

/// Mounts a new proc of this pid namespace on /proc. Throws SystemError.
void mount_proc();

/// Sets the loopback interface up. Throws SystemError.
void raise_lo();

/// As a shell gives it: 128+N for signal N.
int exit_code(int wait_status);

}  // namespace nsb::isolate
