// The sampler: a small static process that carries out blocks of samples for nsbench. A fork-style clone
// copies its parent's page tables and mappings, so all that is in here is part of every figure: no C++
// run-time library, no heap.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <csignal>
#include <cstring>
#include <initializer_list>

#include "block.h"
#include "churn.h"
#include "core/condition.h"
#include "core/greeting.h"
#include "deputy.h"
#include "privilege.h"
#include "sandbox.h"
#include "sys/fd.h"
#include "sys/patience.h"
#include "workers.h"

namespace nsb::bench {
namespace {

/// The next message; false once nsbench is gone, or where it says something else.
template <typename Message>
bool receive(Message& message) {
    const auto got = sys::patiently([&] { return read(protocol::kSocket, &message, sizeof message); },
                                    [](int error) { return error != ECONNRESET; });
    return got == sizeof message;
}

/// The next request, with the barrier where one comes with it. What it takes of the stack is free again when
/// something is timed.
[[gnu::noinline]] bool receive(protocol::Request& request, sys::Fd& barrier) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    iovec data{&request, sizeof request};
    msghdr message{};
    const auto got = sys::patiently(
        [&] {
            message = {nullptr, 0, &data, 1, control, sizeof control, 0};
            return recvmsg(protocol::kSocket, &message, MSG_CMSG_CLOEXEC);
        },
        [](int error) { return error != ECONNRESET; });
    if (got != sizeof request || (message.msg_flags & MSG_CTRUNC) != 0) return false;
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
        barrier = sys::Fd(fd);
    }
    return true;
}

template <typename Message>
bool send(const Message& message) {
    return sys::patiently([&] { return ::send(protocol::kSocket, &message, sizeof message, MSG_NOSIGNAL); },
                          [](int /*error*/) { return !sys::is_hung_up(protocol::kSocket); })
        .has_value();
}

/// Whether nsbench is of a build that this one understands; it gets an answer in any case, with which to say
/// so.
bool is_greeted(const protocol::Privilege& privilege) {
    // The empty asm: read from where it stands in this program's file, in which a test can put another.
    const protocol::Greeting* own = &protocol::kGreeting;
    asm("" : "+r"(own));
    protocol::Greeting theirs{};
    return receive(theirs) && send(protocol::Answer{*own, privilege}) && theirs == *own;
}

int serve() {
    prctl(PR_SET_NAME, "nsbench-sampler");
    // With nsbench gone there is nobody to measure for; the socket's end is noticed between blocks, this at
    // once.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Neither is for the programs that are started from here.
    for (const int fd : {protocol::kSocket, protocol::kMemory}) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return 1;
    }
    SharedMemory* const mapped = map_memory();
    if (mapped == nullptr) return 1;
    SharedMemory& memory = *mapped;

    protocol::Request request;
    for (sys::Fd barrier; receive(request, barrier);) {
        std::uint32_t filled = 0;
        if (has_condition(request.values)) {
            filled = carry_out_by_deputy(request, memory, barrier);
        } else if (shares_mm(request)) {
            filled = carry_out_together(request, memory);
        } else {
            filled = carry_out_with_others(request, memory, barrier);
        }
        // Beside what is timed, as all that happens between two blocks.
        if (!send(protocol::Reply{request.sequence, filled, usage()})) return 1;
    }
    return 0;
}

}  // namespace
}  // namespace nsb::bench

/// Without an argument, the sampler; with `sandbox`, the one for what other programs do (sandbox.h); with
/// `churn`, a load (churn.h); with `deputy`, what carries out one block under conditions for a sampler
/// (deputy.h). Then `keep=…`, for the sampler, a load and a deputy (privilege.h).
int main(int count, char** arguments) {
    // Whoever ends a whole control group or session means nsbench, which ends this process when it has its
    // samples.
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_IGN);
    const auto is_asked_for = [&](const char* mode) {
        return count > 1 && std::strcmp(arguments[1], mode) == 0;
    };
    // Before anything is read from outside.
    const nsb::protocol::Privilege privilege = nsb::bench::give_up(arguments);
    if (is_asked_for("deputy")) return nsb::bench::serve_as_deputy();
    // The folder that nsbench was started in may be closed to it, as another user's is to root without
    // CAP_DAC_READ_SEARCH: it could not come back there (own_namespaces.cpp).
    (void)nsb::sys::checked(chdir("/"));
    if (!nsb::bench::is_greeted(privilege)) return 1;
    if (is_asked_for("churn")) return nsb::bench::serve_churn();
    return is_asked_for("sandbox") ? nsb::bench::serve_in_sandbox(nsb::bench::serve) : nsb::bench::serve();
}
