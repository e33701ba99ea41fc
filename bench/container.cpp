// container: a whole start, as a runtime does it: a clone, then inside the id maps, the hostname, a new root
// with its own proc, the loopback link, pivot_root, and a program that says when it runs and exits.
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "block.h"
#include "inside.h"
#include "mark.h"
#include "sys/id_maps.h"
#include "sys/loopback.h"
#include "sys/mount.h"
#include "sys/stamp.h"

namespace nsb::bench {
namespace {

constexpr std::size_t kStack = 64U << 10U;

/// The new root is mounted here, in the container's own mount namespace: a directory that every system has.
#define NSB_NEW_ROOT "/tmp"

struct ContainerStart {
    Block& block;
    sys::IdMaps maps;
    const sys::Stamp& stamp;
    const sys::Fd& program;  ///< for a container without a root of its own

    [[nodiscard]] ContainerMntns mntns() const {
        return static_cast<ContainerMntns>(block.value(Parameter::mntns));
    }
    /// Whether the new root is a directory below the former one, which is left then.
    [[nodiscard]] bool pivots() const {
        return mntns() == ContainerMntns::clone || mntns() == ContainerMntns::unshare;
    }
};

bool has_root(const Block& block) {
    return block.request.set.contains(info(Phase::root).needs);
}

Failure failure_of(Call call, const sys::Result<int>& result) {
    return result ? Failure{} : Failure{call, result.error()};
}

Failure write_maps(const ContainerStart& start) {
    return start.maps.write_own();
}

Failure set_hostname(const ContainerStart& /*start*/) {
    static constexpr char kName[] = "nsbench";
    return failure_of(Call::sethostname, sys::checked(sethostname(kName, sizeof kName - 1)));
}

/// In the root that this process has now.
Failure fill_root(int folder, const char* proc, const char* program) {
    if (mkdirat(folder, proc, 0755) != 0) return {Call::mkdir, errno};
    return write_image(program, program_image(), folder);
}

Failure enter(const sys::Result<sys::Fd>& made, Call call) {
    if (!made) return {call, made.error()};
    return setns(made->get(), CLONE_NEWNS) == 0 ? Failure{} : Failure{Call::setns, errno};
}

/// A tmpfs that is the root of a mount namespace without anything else.
Failure make_root_alone(const ContainerStart& start) {
    const auto made = sys::make_tmpfs();
    if (!made) return made.error();
    if (start.mntns() == ContainerMntns::fsmount) {
        const Failure entered = enter(sys::mount_as_namespace(*made), Call::fsmount);
        return entered.error != 0 ? entered : fill_root(AT_FDCWD, "/proc", "/program");
    }
    const auto mount = sys::mount_new(*made);
    if (!mount) return {Call::fsmount, mount.error()};
    if (const Failure failure = fill_root(mount->get(), "proc", "program"); failure.error != 0)
        return failure;
    if (start.mntns() == ContainerMntns::empty) return sys::cover_root(*mount);
    return enter(sys::copy_tree_to_namespace("", mount->get()), Call::open_tree);
}

Failure make_root(const ContainerStart& start) {
    if (!start.pivots()) return make_root_alone(start);
    if (start.mntns() == ContainerMntns::unshare && unshare(CLONE_NEWNS) != 0) return {Call::unshare, errno};
    if (const auto cut = sys::make_mounts_private(); !cut) return {Call::mount_private, cut.error()};
    if (const auto root = sys::mount_tmpfs(NSB_NEW_ROOT, sys::Devices::no); !root)
        return {Call::mount_tmpfs, root.error()};
    return fill_root(AT_FDCWD, NSB_NEW_ROOT "/proc", NSB_NEW_ROOT "/program");
}

Failure mount_proc(const ContainerStart& start) {
    return failure_of(Call::mount, sys::mount_proc(start.pivots() ? NSB_NEW_ROOT "/proc" : "/proc"));
}

Failure raise_loopback(const ContainerStart& /*start*/) {
    const auto raised = sys::raise_loopback();
    return raised ? Failure{} : raised.error();
}

Failure pivot(const ContainerStart& start) {
    return sys::change_root(NSB_NEW_ROOT, start.block.request.root_is_initramfs);
}

struct StartStep {
    Phase phase;  ///< whose kinds the set must have
    Failure (*run)(const ContainerStart& start);
};

/// Whether a start has this step.
bool has_step(const ContainerStart& start, Phase step) {
    return start.block.request.set.contains(info(step).needs) && (step != Phase::pivot || start.pivots());
}

constexpr StartStep kSteps[] = {
    {Phase::maps, write_maps}, {Phase::hostname, set_hostname}, {Phase::root, make_root},
    {Phase::proc, mount_proc}, {Phase::lo, raise_loopback},     {Phase::pivot, pivot},
};

/// One after the other, begun and ended by the same readings of the clock.
constexpr std::uint32_t kInside =
    bits(Phase::maps, Phase::hostname, Phase::root, Phase::proc, Phase::lo, Phase::pivot, Phase::exec);

Failure become_program(const ContainerStart& start) {
    char name[] = "program";
    char* const arguments[] = {name, nullptr};
    char* const environment[] = {nullptr};
    if (dup3(start.stamp.fd(), STDOUT_FILENO, 0) < 0) return {Call::eventfd, errno};
    if (has_root(start.block)) {
        syscall(SYS_execveat, AT_FDCWD, "/program", arguments, environment, 0);
    } else {
        syscall(SYS_execveat, start.program.get(), "", arguments, environment, AT_EMPTY_PATH);
    }
    return {Call::exec, errno};
}

int start_inside(void* argument) {
    const ContainerStart& start = *static_cast<const ContainerStart*>(argument);
    SharedMemory& memory = start.block.memory;
    touch(memory);
    NSB_MARK_NEXT(kInside, bits(Phase::ready), 1);
    std::uint64_t begin = sys::now();
    memory.child_begin = begin;
    for (const StartStep& step : kSteps) {
        if (!has_step(start, step.phase)) continue;
        memory.child_failure = step.run(start);
        if (memory.child_failure.error != 0) return 0;
        NSB_MARK_NEXT(kInside, bits(), 1);
        const std::uint64_t end = sys::now();
        child_phase(memory, step.phase) = end - begin;
        begin = end;
    }
    memory.child_end = begin;
    NSB_MARK_INSIDE(bits(Phase::exit), bits(Phase::start) | kInside, 1);
    memory.child_failure = become_program(start);
    return 0;
}

}  // namespace

void run_container(Block& block) {
    SharedMemory& memory = block.memory;
    const auto stack = sys::Stack::map(kStack, false);
    if (!stack) return block.fail({Call::mmap, stack.error()});
    const auto stamp = sys::Stamp::make();
    if (!stamp) return block.fail({Call::eventfd, stamp.error()});
    sys::Fd program;
    if (!has_root(block)) {
        auto file = image_without_name(program_image());
        if (!file) return block.fail(file.error());
        program = std::move(*file);
    }
    ContainerStart start{block, {}, *stamp, program};
    sys::CloneOptions options;
    options.flags = block.request.set.flags();
    options.use_clone3 = block.request.set.contains(Kind::time);
    if (has_root(block) && start.mntns() == ContainerMntns::empty) {
        options.use_clone3 = true;
        options.flags |= sys::kCloneEmptyMntns;
    } else if (start.mntns() != ContainerMntns::clone) {
        options.flags &= ~std::uint64_t{CLONE_NEWNS};
    }

    while (Record* record = block.next()) {
        NSB_MARK(bits(Phase::start, Phase::create, Phase::ready, Phase::total), bits(), 2);
        const sys::Moment call = sys::Moment::before();
        const auto pid = sys::clone_child(options, *stack, start_inside, &start);
        NSB_MARK(bits(), bits(Phase::create), 1);
        const std::uint64_t returned = sys::now();
        if (!pid) return block.fail({options.use_clone3 ? Call::clone3 : Call::clone, pid.error()});
        const Failure failure = reap_child(*pid, &memory);
        NSB_MARK(bits(), bits(Phase::exit, Phase::total), 1);
        const sys::Moment reaped = sys::Moment::after();
        if (failure.error != 0) return block.fail(failure);

        const std::uint64_t mark = stamp->take();
        auto runs = sys::time_between(call, reaped, mark);
        // Where another process ran between the two readings of `reaped`, the program's moment is too early:
        // a later end is as good.
        if (runs && *runs < memory.child_end) runs = sys::time_between(call, sys::Moment::after(), mark);
        if (!runs || *runs < memory.child_end || *runs > reaped.ns) return block.fail({Call::child, ERANGE});
        time_of(*record, Phase::start) = *runs - call.ns;
        time_of(*record, Phase::create) = returned - call.ns;
        time_of(*record, Phase::ready) = memory.child_begin - call.ns;
        for (const StartStep& step : kSteps) {
            if (!has_step(start, step.phase)) continue;
            time_of(*record, step.phase) = child_phase(memory, step.phase);
        }
        time_of(*record, Phase::exec) = *runs - memory.child_end;
        time_of(*record, Phase::exit) = reaped.ns - *runs;
        time_of(*record, Phase::total) = reaped.ns - call.ns;
    }
}

}  // namespace nsb::bench
