// pidns: so many pid namespaces more. One lives as long as its first process, so each has one, asleep.
#include <sched.h>

#include "conditions.h"

namespace nsb::bench {

Failure set_up_pidns(Setting& here) {
    // Whoever has no privilege here has it in a user namespace.
    if (here.request.in_userns && unshare(CLONE_NEWUSER) != 0) return here.failed();
    return keep_sleepers(here, CLONE_NEWPID);
}

}  // namespace nsb::bench
