#include "env/machine.h"
#include "fuzz/target.h"

namespace nsb::fuzz {

void mountinfo(std::string_view input) {
    for (const env::Mount& mount : env::parse_mounts(input))
        must_hold(!mount.point.empty() && !mount.type.empty(), "a mount is somewhere, and of a type");
}

}  // namespace nsb::fuzz
