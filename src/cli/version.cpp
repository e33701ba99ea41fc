#include "cli/version.h"

#include <fmt/format.h>

#include <string_view>

#include "nsb_commit.h"  // CMakeLists.txt makes it

namespace nsb::cli {

std::string full_version() {
    constexpr std::string_view kCommit = NSB_COMMIT;
    return kCommit.empty() ? std::string(NSB_VERSION) : fmt::format("{} ({})", NSB_VERSION, kCommit);
}

}  // namespace nsb::cli
