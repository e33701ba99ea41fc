#include "keeper.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "conditions.h"
#include "sys/patience.h"

namespace nsb::bench {
namespace {

/// Of a kernel without close_range(2), up to 5.8: no sampler has more.
constexpr int kMostFiles = 1024;

/// Leaves stdin, stdout, stderr and that one: other keepers' ends would keep those.
void close_others(int kept) {
    const auto low = static_cast<unsigned>(kept);
    const bool below = kept <= 3 || close_range(3, low - 1, 0) == 0;
    const bool above = close_range(low + 1, ~0U, 0) == 0;
    for (int fd = 3; fd < kMostFiles && !(below && above); ++fd) {
        if (fd != kept) close(fd);
    }
}

/// Whether the sampler has it, which waits for this.
bool report(int end, const Failure& failure) {
    return sys::patiently([&] { return send(end, &failure, sizeof failure, MSG_NOSIGNAL); },
                          [&](int /*error*/) { return !sys::is_hung_up(end); })
        .has_value();
}

/// Until the other end is closed or shut down.
void wait_for_end(int end) {
    char none = 0;
    while (sys::retried([&] { return read(end, &none, 1); }) > 0) {
    }
}

[[noreturn]] void keep(Setting& here, SetUp set_up, int end, bool survives) {
    prctl(PR_SET_NAME, "nsbench-keeper");
    close_others(end);
    here.let_go = end;
    if (!survives) die_with_parent(end);
    if (const Failure failure = set_up(here); failure.error != 0) (void)report(end, failure);
    _exit(0);
}

}  // namespace

void hold(const Setting& here) {
    // Who could not be told reads the end of this process instead.
    if (report(here.let_go, {})) wait_for_end(here.let_go);
}

tl::expected<Keeper, Failure> Keeper::start(Setting& here, SetUp set_up, bool survives) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return tl::unexpected(here.failed());
    sys::Fd own(ends[0]);
    sys::Fd keepers(ends[1]);
    const auto pid = sys::plain_fork();
    if (!pid) return tl::unexpected(here.failed(pid.error()));
    if (*pid == 0) keep(here, set_up, keepers.get(), survives);
    keepers.reset();
    Keeper keeper(*pid, std::move(own));
    Failure failure{};
    const auto got = sys::retried([&] { return read(keeper.end_.get(), &failure, sizeof failure); });
    if (got != sizeof failure) failure = here.failed(ECHILD);
    if (failure.error != 0) return tl::unexpected(failure);
    return keeper;
}

bool Keeper::let_go() {
    if (pid_ < 0) return true;
    end_.reset();
    const auto status = sys::reap(std::exchange(pid_, -1));
    return status && WIFEXITED(*status);
}

void let_go_by(const sys::Fd& end) {
    shutdown(end.get(), SHUT_WR);
    wait_for_end(end.get());
}

}  // namespace nsb::bench
