// What a failed call means, in words.
#pragma once

#include <string>

#include "core/protocol.h"

namespace nsb {

/// EPERM, ENOSYS and their like: a case that this kernel or this privilege does not have, rather than one
/// that broke.
bool is_unsupported(const protocol::Failure& failure);

/// An errno's name, such as ENOSPC.
std::string errno_name(int error);

/// What a failed call means and, where something can be done, what.
std::string explain(const protocol::Failure& failure);

}  // namespace nsb
