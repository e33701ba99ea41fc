#include "conditions.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <algorithm>
#include <csignal>

namespace nsb::bench {

#define NSB_CONDITION(identifier, ...) Failure set_up_##identifier(Setting& here);
#include "core/conditions.def"
#undef NSB_CONDITION

const Condition kConditionFunctions[] = {
#define NSB_CONDITION(identifier, type, highest, by, leaves, meaning) \
    {set_up_##identifier, Call::set_##identifier, {Parameter::identifier, MadeBy::by, leaves}},
#include "core/conditions.def"
#undef NSB_CONDITION
};

bool prepare(Setting& here, const Condition& condition) {
    here.value = here.request.values[static_cast<std::size_t>(condition.info.parameter)];
    here.call = condition.call;
    return here.value != 0;
}

void die_with_parent(int tie) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Who was gone before that sends no signal any more.
    pollfd end{tie, 0, 0};
    if (poll(&end, 1, 0) == 1 && (end.revents & POLLHUP) != 0) _exit(1);
}

void make_room_for_files(std::uint64_t count) {
    constexpr rlim_t kOthers = 64;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= count + kOthers) return;
    const rlimit all{count + kOthers, std::max(limit.rlim_max, count + kOthers)};
    const rlimit most{limit.rlim_max, limit.rlim_max};
    // Beyond the hard limit it takes CAP_SYS_RESOURCE. Where neither helps, opening says so.
    if (setrlimit(RLIMIT_NOFILE, &all) != 0) (void)setrlimit(RLIMIT_NOFILE, &most);
}

}  // namespace nsb::bench
