// Which nsbench this is.
#pragma once

#include <string>

namespace nsb::cli {

/// "0.1.0", and where it was built in its repository what `git describe` says, too: "0.1.0
/// (v0.1.0-3-g1a2b3c4)".
std::string full_version();

}  // namespace nsb::cli
