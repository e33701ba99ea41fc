// setns: a process enters namespaces that another keeps.
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include "holder.h"
#include "mark.h"
#include "sys/proc.h"

namespace nsb::bench {
namespace {

constexpr std::size_t kHolderStack = 64U << 10U;

/// The link in /proc/PID/ns of the set's only kind. A holder is made by clone, so its children's namespaces
/// are its own.
const char* link_of(KindSet set) {
    static constexpr const char* kLinks[] = {"ns/cgroup", "ns/ipc",  "ns/net",  "ns/mnt",
                                             "ns/pid",    "ns/time", "ns/user", "ns/uts"};
    return kLinks[std::countr_zero(set.bits())];
}

}  // namespace

void run_setns(Block& block) {
    SharedMemory& memory = block.memory;
    const KindSet set = block.request.set;
    // Without privilege only the namespaces of a user namespace of one's own can be entered: the holder makes
    // it, and each sample's process joins it before the timed call, unless entering it is what is timed.
    const bool join_user = block.request.in_userns && !set.contains(Kind::user);

    const auto stack = sys::Stack::map(kHolderStack, false);
    if (!stack) return block.fail({Call::mmap, stack.error()});
    const auto holder = Holder::start(block.request.in_userns ? set | Kind::user : set, *stack);
    if (!holder) return block.fail(holder.error());

    const bool by_pidfd = block.value(Parameter::join_via) == static_cast<std::uint64_t>(JoinVia::pidfd);
    const auto target = by_pidfd ? sys::Fd::own(syscall(SYS_pidfd_open, holder->pid(), 0))
                                 : sys::open_in_proc(holder->pid(), link_of(set), O_RDONLY);
    if (!target) return block.fail({by_pidfd ? Call::pidfd_open : Call::open_ns, target.error()});
    sys::Fd user;
    if (join_user) {
        auto opened = sys::open_in_proc(holder->pid(), "ns/user", O_RDONLY);
        if (!opened) return block.fail({Call::open_ns, opened.error()});
        user = std::move(*opened);
    }

    while (Record* record = block.next()) {
        const auto pid = sys::plain_fork();
        if (!pid) return block.fail({Call::clone, pid.error()});
        if (*pid == 0) {
            touch(memory);
            if (join_user && ::setns(user.get(), CLONE_NEWUSER) != 0) {
                memory.child_failure = {Call::setns_user, errno};
                _exit(0);
            }
            NSB_MARK(bits(Phase::switch_), bits(), 1);
            const std::uint64_t begin = sys::now();
            const auto entered = sys::checked(::setns(target->get(), static_cast<int>(set.flags())));
            NSB_MARK(bits(), bits(Phase::switch_), 1);
            const std::uint64_t end = sys::now();
            memory.child_begin = begin;
            memory.child_end = end;
            if (!entered) memory.child_failure = {Call::setns, entered.error()};
            _exit(0);
        }
        const Failure failure = reap_child(*pid, &memory);
        if (failure.error != 0) return block.fail(failure);
        time_of(*record, Phase::switch_) = memory.child_end - memory.child_begin;
    }
}

}  // namespace nsb::bench
