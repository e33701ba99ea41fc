// Capabilities: their names, which of them a call needs, and which the process that measures a case.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "core/kinds.h"
#include "core/protocol.h"

namespace nsb {

/// Bit N is the capability with the number N in capabilities(7).
using Capabilities = std::uint64_t;

inline constexpr Capabilities kAllCapabilities = ~Capabilities{0};

/// What CapEff of /proc/self/status says; nothing where that is no hexadecimal number.
std::optional<Capabilities> parse_capabilities(std::string_view hexadecimal);

/// "CAP_SYS_ADMIN", …: one for each, in the order of their numbers; "38" for one that has no name here.
std::vector<std::string> list_of(Capabilities capabilities);

/// "CAP_SYS_CHROOT and CAP_SYS_ADMIN".
std::string names_of(Capabilities capabilities);

/// What this call needs for namespaces of this set. Inside a user namespace of its own a process has them
/// all, so that there only what is done from outside needs any: writing its id maps (user_namespaces(7)).
Capabilities needed(protocol::Call call, KindSet set);

/// The same of a call by its name, as it stands at the beginning of an error's text.
Capabilities needed(std::string_view text, KindSet set);

/// Where a case is measured.
struct MeasuredIn {
    bool in_userns = false;          ///< its processes make a user namespace first, where it has none itself
    bool root_is_initramfs = false;  ///< that pivot_root(2) cannot leave
};

/// What the process that measures a case needs, with all that surrounds its blocks: by the calls that
/// operations.def and conditions.def say it makes, and by the way to a namespace of the block's own and back,
/// which no table has (bench/own_namespaces.cpp). All of them where it starts other programs.
Capabilities needed(const Case& c, MeasuredIn where = {});

/// What it needs whatever it measures: it tries what is permitted (run/sampler_pool.cpp), and a case is to
/// take the same path through the kernel in each plan. For each mapping that a fork copies the kernel asks
/// for CAP_SYS_ADMIN, and goes on differently without it (cap_vm_enough_memory() in security/commoncap.c).
Capabilities always_needed();

/// What it takes to read and replace the files of others, and to keep their owner and mode.
Capabilities over_files();

/// Why a call was not permitted: the capabilities that this process does not have. Where it has all, or these
/// are not known, something else forbids it.
std::string why_not_permitted(Capabilities needed, std::optional<Capabilities> held);

}  // namespace nsb
