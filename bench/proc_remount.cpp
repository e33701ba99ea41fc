// proc_remount: a fresh pid and mount namespace, and inside it `mount -t proc proc /proc`, undone again.
#include <sys/mount.h>

#include "block.h"
#include "mark.h"
#include "sys/mount.h"

namespace nsb::bench {
namespace {

Failure mount_proc(const Block& block) {
    const bool pid_only = block.value(Parameter::subset) != 0;
    if (block.value(Parameter::mount_via) == static_cast<std::uint64_t>(MountVia::mount)) {
        const auto mounted = sys::mount_proc("/proc", pid_only ? "subset=pid" : nullptr);
        return mounted ? Failure{} : Failure{Call::mount, mounted.error()};
    }
    const auto proc = pid_only ? sys::mount_detached("proc", "subset", "pid") : sys::mount_detached("proc");
    if (!proc) return proc.error();
    const auto attached = sys::attach_mount(*proc, "/proc");
    return attached ? Failure{} : Failure{Call::move_mount, attached.error()};
}

int remount_and_exit(void* argument) {
    Block& block = *static_cast<Block*>(argument);
    SharedMemory& memory = block.memory;
    if (const auto cut = sys::make_mounts_private(); !cut) {
        memory.child_failure = {Call::mount_private, cut.error()};
        return 0;
    }
    touch(memory);
    NSB_MARK(bits(Phase::mount), bits(), 1);
    const std::uint64_t begin = sys::now();
    const Failure failure = mount_proc(block);
    NSB_MARK(bits(Phase::unmount), bits(Phase::mount), 1);
    const std::uint64_t mounted = sys::now();
    if (failure.error != 0) {
        memory.child_failure = failure;
        return 0;
    }
    const auto unmounted = sys::checked(umount2("/proc", 0));
    NSB_MARK(bits(), bits(Phase::unmount), 1);
    const std::uint64_t end = sys::now();
    if (!unmounted) memory.child_failure = {Call::umount, unmounted.error()};
    child_phase(memory, Phase::mount) = mounted - begin;
    child_phase(memory, Phase::unmount) = end - mounted;
    return 0;
}

}  // namespace

void run_proc_remount(Block& block) {
    const auto stack = map_stack(block);
    if (!stack) return;
    const sys::CloneOptions options = clone_options(block);
    while (Record* record = block.next()) {
        NSB_MARK(bits(Phase::total), bits(), 1);
        const std::uint64_t call = sys::now();
        const auto pid = sys::clone_child(options, *stack, remount_and_exit, &block);
        if (!pid) return block.fail({options.use_clone3 ? Call::clone3 : Call::clone, pid.error()});
        const Failure failure = reap_child(*pid, &block.memory);
        NSB_MARK(bits(), bits(Phase::total), 1);
        const std::uint64_t reaped = sys::now();
        if (failure.error != 0) return block.fail(failure);

        for (const Phase phase : {Phase::mount, Phase::unmount}) {
            time_of(*record, phase) = child_phase(block.memory, phase);
        }
        time_of(*record, Phase::total) = reaped - call;
    }
}

}  // namespace nsb::bench
