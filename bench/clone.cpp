// clone and clone3: one call that makes a child and its namespaces at once.
#include "block.h"
#include "sys/mount.h"
#include "sys/stamp.h"

namespace nsb::bench {
namespace {

int mark_and_exit(void* stamp) {
    static_cast<const sys::Stamp*>(stamp)->mark();
    return 0;
}

void run(Block& block) {
    sys::CloneOptions options = clone_options(block);
    const auto stack = map_stack(block);
    if (!stack) return;
    auto stamp = sys::Stamp::make();
    if (!stamp) return block.fail({Call::eventfd, stamp.error()});

    sys::Fd root_cgroup;
    if (block.value(Parameter::cgroup) != 0) {
        // The root of cgroup v2, reached without a path and without a new cgroup that would have to be
        // removed.
        auto mount = sys::mount_detached("cgroup2");
        if (!mount) return block.fail(mount.error());
        root_cgroup = std::move(*mount);
        options.cgroup = root_cgroup.get();
    }
    int pidfd = -1;
    if (block.value(Parameter::pidfd) != 0) options.pidfd = &pidfd;

    while (Record* record = block.next()) {
        const sys::Moment call = sys::Moment::before();
        const auto pid = sys::clone_child(options, *stack, mark_and_exit, &*stamp);
        const std::uint64_t returned = sys::now();
        if (!pid) return block.fail({options.use_clone3 ? Call::clone3 : Call::clone, pid.error()});
        const Failure failure = reap_child(*pid, block.memory);
        const sys::Moment reaped = sys::Moment::after();
        const sys::Fd owned_pidfd(pidfd);
        if (failure.error != 0) return block.fail(failure);

        const std::uint64_t mark = stamp->take();
        if (mark == 0) return block.fail({Call::eventfd, EIO});
        const auto child = sys::time_between(call, reaped, mark);
        if (!child) return block.fail({Call::child, ERANGE});

        time_of(*record, Phase::create) = returned - call.ns;
        time_of(*record, Phase::ready) = *child - call.ns;
        time_of(*record, Phase::exit) = reaped.ns - *child;
        time_of(*record, Phase::total) = reaped.ns - call.ns;
    }
}

}  // namespace

// Which of the two calls it is, clone_options() knows.
void run_clone(Block& block) {
    run(block);
}

void run_clone3(Block& block) {
    run(block);
}

}  // namespace nsb::bench
