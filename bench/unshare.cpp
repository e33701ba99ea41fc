// unshare: a process, made beforehand, gives itself new namespaces. Each sample needs a fresh one, since the
// first call changes what a second would find.
#include <sched.h>

#include "block.h"
#include "mark.h"

namespace nsb::bench {

void run_unshare(Block& block) {
    SharedMemory& memory = block.memory;
    const int flags = static_cast<int>(block.request.set.flags());
    while (Record* record = block.next()) {
        const auto pid = sys::plain_fork();
        if (!pid) return block.fail({Call::clone, pid.error()});
        if (*pid == 0) {
            touch(memory);
            NSB_MARK(bits(Phase::create, Phase::total), bits(), 1);
            const std::uint64_t begin = sys::now();
            const auto unshared = sys::checked(::unshare(flags));
            NSB_MARK(bits(Phase::exit), bits(Phase::create), 1);
            const std::uint64_t end = sys::now();
            memory.child_begin = begin;
            memory.child_end = end;
            if (!unshared) memory.child_failure = {Call::unshare, unshared.error()};
            _exit(0);
        }
        const Failure failure = reap_child(*pid, &memory);
        NSB_MARK(bits(), bits(Phase::exit, Phase::total), 1);
        const std::uint64_t reaped = sys::now();
        if (failure.error != 0) return block.fail(failure);

        time_of(*record, Phase::create) = memory.child_end - memory.child_begin;
        time_of(*record, Phase::exit) = reaped - memory.child_end;
        time_of(*record, Phase::total) = reaped - memory.child_begin;
    }
}

}  // namespace nsb::bench
