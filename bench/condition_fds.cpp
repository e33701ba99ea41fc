// fds: the caller has so many open files more, each a file of its own.
#include <sys/eventfd.h>

#include "conditions.h"

namespace nsb::bench {

Failure set_up_fds(Setting& here) {
    make_room_for_files(here.value);
    for (std::uint64_t made = 0; made < here.value; ++made) {
        // Never closed but by the deputy's end.
        if (eventfd(0, EFD_CLOEXEC) < 0) return here.failed();
    }
    return {};
}

}  // namespace nsb::bench
