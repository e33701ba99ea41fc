// netns: so many net namespaces more, alive, all kept by one process.
#include <sched.h>
#include <sys/socket.h>

#include "conditions.h"

namespace nsb::bench {

Failure keep_net_namespaces(Setting& here) {
    if (here.request.in_userns && unshare(CLONE_NEWUSER) != 0) return here.failed();
    make_room_for_files(here.value);
    const unsigned first = static_cast<unsigned>(here.let_go) + 1;
    for (std::uint64_t made = 0; made < here.value; ++made) {
        if (make_namespace([] { return unshare(CLONE_NEWNET); }) != 0) return here.failed();
        // A socket keeps its namespace as well as a file of /proc does, which may show other processes.
        if (socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0) return here.failed();
    }
    hold(here);
    // All but the last by the time that this process closes the socket by which it was let go.
    if (close_range(first, ~0U, 0) != 0) {
        for (unsigned fd = first; fd < first + here.value; ++fd) close(static_cast<int>(fd));
    }
    return {};
}

Failure set_up_netns(Setting& here) {
    return keep_net_namespaces(here);
}

}  // namespace nsb::bench
