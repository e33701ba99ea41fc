// The loopback interface.
#pragma once

#include "core/protocol.h"
#include "sys/fd.h"

namespace nsb::sys {

/// Sets it up in this process's net namespace.
tl::expected<void, protocol::Failure> raise_loopback();

}  // namespace nsb::sys
