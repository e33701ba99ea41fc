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

#define NSB_CHECK(id, function) Finding function(const Root& root);
#include "env/checks.def"
#undef NSB_CHECK

}  // namespace nsb::env::detail
