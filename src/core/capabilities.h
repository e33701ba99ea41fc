// Capabilities: their names, and which of them a call needs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/kinds.h"
#include "core/protocol.h"

namespace nsb {

/// Bit N is the capability with the number N in capabilities(7).
using Capabilities = std::uint64_t;

/// What CapEff of /proc/self/status says; nothing where that is no hexadecimal number.
std::optional<Capabilities> parse_capabilities(std::string_view hexadecimal);

/// "CAP_SYS_ADMIN and CAP_SYS_CHROOT": of those that this program ever needs.
std::string names_of(Capabilities capabilities);

/// What this call needs for namespaces of this set. Inside a user namespace of its own a process has them
/// all, so that there only what is done from outside needs any: writing its id maps (user_namespaces(7)).
Capabilities needed(protocol::Call call, KindSet set);

/// The same of a call by its name, as it stands at the beginning of an error's text.
Capabilities needed(std::string_view text, KindSet set);

/// Why a call was not permitted: the capabilities that this process does not have. Where it has all, or these
/// are not known, something else forbids it.
std::string why_not_permitted(Capabilities needed, std::optional<Capabilities> held);

}  // namespace nsb
