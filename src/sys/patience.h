// Calls that fail for a moment: interrupted, or the kernel is short of memory or buffers.
#pragma once

#include <poll.h>
#include <ctime>

#include "sys/fd.h"

namespace nsb::sys {

/// What `call` returns. Where that is -1 it is called again, for a second, as long as `is_worth_it(errno)`.
template <typename Call, typename Predicate>
auto patiently(Call call, Predicate is_worth_it) -> Result<decltype(call())> {
    constexpr int kTimes = 1000;
    constexpr timespec kPause{0, 1'000'000};
    for (int time = 1;; ++time) {
        const auto returned = call();
        if (returned != -1) return returned;
        const int error = errno;
        if (time == kTimes || !is_worth_it(error)) return tl::unexpected(error);
        if (error != EINTR) nanosleep(&kPause, nullptr);
    }
}

/// Whether the other end of a socket is closed.
inline bool is_hung_up(int socket) {
    pollfd end{socket, 0, 0};
    return poll(&end, 1, 0) == 1 && (end.revents & POLLHUP) != 0;
}

}  // namespace nsb::sys
