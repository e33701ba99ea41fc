// mount_ns: the ways to a mount namespace of one's own whose root is one small tree and nothing else. Two
// copy all mounts and leave them again (clone, unshare), one copies the tree alone (open_tree), one begins
// with nothing (CLONE_EMPTY_MNTNS), one with a new file system (fsmount).
#include <sched.h>
#include <sys/mount.h>

#include "block.h"
#include "inside.h"
#include "mark.h"
#include "own_namespaces.h"
#include "sys/mount.h"

namespace nsb::bench {
namespace {

constexpr std::size_t kStack = 64U << 10U;

/// Where the tree is mounted in the block's own mount namespace: a directory that every system has.
#define NSB_TREE "/tmp"
/// The tree: a tmpfs with one file.
#define NSB_FILE "program"

struct Way {
    Block& block;
    MntnsVia via;
    bool is_first = false;  ///< of the block: its child looks whether the root is what it should be
    sys::Fd tree{};         ///< a detached copy of the tree, or the file system that is to be it
    sys::Fd made{};         ///< the mount namespace, where it is made as a descriptor
};

std::uint64_t flags_of(const Way& way) {
    return way.block.request.set.flags();
}

/// What has to be there before the call, and is part of the total.
Failure prepare(Way& way) {
    if (way.via == MntnsVia::empty) {
        auto tree = sys::copy_tree(NSB_TREE);
        if (!tree) return {Call::open_tree, tree.error()};
        way.tree = std::move(*tree);
    } else if (way.via == MntnsVia::fsmount) {
        auto made = sys::make_tmpfs();
        if (!made) return made.error();
        way.tree = std::move(*made);
    }
    return {};
}

/// The call, where it is not the one that makes the child.
Failure make(Way& way) {
    if (way.via == MntnsVia::unshare) {
        return unshare(static_cast<int>(flags_of(way))) == 0 ? Failure{} : Failure{Call::unshare, errno};
    }
    const bool copies = way.via == MntnsVia::opentree;
    auto made = copies ? sys::copy_tree_to_namespace(NSB_TREE) : sys::mount_as_namespace(way.tree);
    if (!made) return {copies ? Call::open_tree : Call::fsmount, made.error()};
    way.made = std::move(*made);
    return {};
}

/// As a runtime does it: the tree mounted on itself, since what was there before may be locked.
Failure leave_other_mounts(const Way& way) {
    if (const auto cut = sys::make_mounts_private(); !cut) return {Call::mount_private, cut.error()};
    if (mount(NSB_TREE, NSB_TREE, nullptr, MS_BIND | MS_REC, nullptr) != 0) return {Call::mount_bind, errno};
    return sys::change_root(NSB_TREE, way.block.request.root_is_initramfs);
}

Failure enter(const Way& way) {
    switch (way.via) {
        case MntnsVia::clone:
        case MntnsVia::unshare:
            return leave_other_mounts(way);
        case MntnsVia::empty:
            return sys::cover_root(way.tree);
        case MntnsVia::opentree:
        case MntnsVia::fsmount:
            if (setns(way.made.get(), CLONE_NEWNS) != 0) return {Call::setns, errno};
            if (way.via == MntnsVia::opentree) return {};
            return write_image("/" NSB_FILE, program_image());
    }
    return {};
}

/// The file is there, and the directory that the tree was mounted on is not, neither by the root nor by the
/// working directory.
Failure check_root() {
    const auto file = sys::Fd::own(open("/" NSB_FILE, O_RDONLY | O_CLOEXEC));
    if (!file) return {Call::open_program, file.error()};
    if (access(NSB_FILE, R_OK) != 0) return {Call::open_program, errno};
    for (const char* const former : {NSB_TREE, ".." NSB_TREE, "../.." NSB_TREE}) {
        if (access(former, F_OK) == 0) return {Call::reachable, EEXIST};
    }
    return {};
}

/// In the child, with the namespace made at `begin`.
void come_in(Way& way, std::uint64_t begin) {
    SharedMemory& memory = way.block.memory;
    memory.child_failure = enter(way);
    NSB_MARK(bits(Phase::exit), bits(Phase::enter), 1);
    const std::uint64_t end = sys::now();
    child_phase(memory, Phase::enter) = end - begin;
    memory.child_end = end;
    memory.child_begin = 0;
    if (!way.is_first || memory.child_failure.error != 0) return;
    memory.child_failure = check_root();
    memory.child_end = sys::now();
    memory.child_begin = memory.child_end - end;  // no part of the sample
}

/// The child of a call that made its mount namespace, too.
int begin_inside(void* argument) {
    Way& way = *static_cast<Way*>(argument);
    touch(way.block.memory);
    NSB_MARK(bits(Phase::enter), bits(), 1);
    come_in(way, sys::now());
    return 0;
}

/// A child that makes its mount namespace itself; a user namespace comes before.
int make_inside(void* argument) {
    Way& way = *static_cast<Way*>(argument);
    SharedMemory& memory = way.block.memory;
    touch(memory);
    // A file system is made before: inside a new user namespace, the mount namespace around is another one's.
    memory.child_failure = prepare(way);
    if (memory.child_failure.error != 0) return 0;
    const auto others = way.block.request.set - Kind::mnt;
    if (way.via != MntnsVia::unshare && !others.empty() && unshare(static_cast<int>(others.flags())) != 0) {
        memory.child_failure = {Call::unshare, errno};
        return 0;
    }
    NSB_MARK(bits(Phase::create), bits(), 1);
    const std::uint64_t call = sys::now();
    memory.child_failure = make(way);
    NSB_MARK(bits(Phase::enter), bits(Phase::create), 1);
    const std::uint64_t made = sys::now();
    child_phase(memory, Phase::create) = made - call;
    if (memory.child_failure.error == 0) come_in(way, made);
    return 0;
}

void finish(Record& record, const SharedMemory& memory, std::uint64_t begin, std::uint64_t reaped) {
    time_of(record, Phase::enter) = memory.child_phases[static_cast<std::size_t>(Phase::enter)];
    time_of(record, Phase::exit) = reaped - memory.child_end;
    time_of(record, Phase::total) = reaped - begin - memory.child_begin;
}

/// The call makes the child as well.
Failure sample_by_clone(Way& way, const sys::Stack& stack, Record& record) {
    sys::CloneOptions options;
    options.flags = flags_of(way);
    if (way.via == MntnsVia::empty) {
        options.use_clone3 = true;
        options.flags |= sys::kCloneEmptyMntns;
    }
    NSB_MARK(bits(Phase::total), bits(), 1);
    const std::uint64_t begin = sys::now();
    if (const Failure failure = prepare(way); failure.error != 0) return failure;
    NSB_MARK(bits(Phase::create), bits(), 1);
    const std::uint64_t call = sys::now();
    const auto pid = sys::clone_child(options, stack, begin_inside, &way);
    NSB_MARK(bits(), bits(Phase::create), 1);
    const std::uint64_t returned = sys::now();
    if (!pid) return {options.use_clone3 ? Call::clone3 : Call::clone, pid.error()};
    const Failure failure = reap_child(*pid, &way.block.memory);
    NSB_MARK(bits(), bits(Phase::exit, Phase::total), 1);
    const std::uint64_t reaped = sys::now();
    way.tree.reset();
    if (failure.error != 0) return failure;
    time_of(record, Phase::create) = returned - call;
    finish(record, way.block.memory, begin, reaped);
    return {};
}

/// The child makes it.
Failure sample_in_child(Way& way, const sys::Stack& stack, Record& record) {
    NSB_MARK(bits(Phase::total), bits(), 1);
    const std::uint64_t begin = sys::now();
    const auto pid = sys::clone_child({}, stack, make_inside, &way);
    if (!pid) return {Call::clone, pid.error()};
    const Failure failure = reap_child(*pid, &way.block.memory);
    NSB_MARK(bits(), bits(Phase::exit, Phase::total), 1);
    const std::uint64_t reaped = sys::now();
    if (failure.error != 0) return failure;
    time_of(record, Phase::create) = child_phase(way.block.memory, Phase::create);
    finish(record, way.block.memory, begin, reaped);
    return {};
}

void take_samples(Block& block) {
    if (const auto tree = sys::mount_tmpfs(NSB_TREE, sys::Devices::no); !tree)
        return block.fail({Call::mount_tmpfs, tree.error()});
    if (const Failure failure = write_image(NSB_TREE "/" NSB_FILE, program_image()); failure.error != 0)
        return block.fail(failure);
    const auto stack = sys::Stack::map(kStack, false);
    if (!stack) return block.fail({Call::mmap, stack.error()});
    Way way{block, static_cast<MntnsVia>(block.value(Parameter::mntns_via))};
    const bool by_clone = way.via == MntnsVia::clone || way.via == MntnsVia::empty;
    while (Record* record = block.next()) {
        way.is_first = block.filled() == 1;
        const Failure failure = (by_clone ? sample_by_clone : sample_in_child)(way, *stack, *record);
        if (failure.error != 0) return block.fail(failure);
    }
}

}  // namespace

void run_mount_ns(Block& block) {
    in_own_namespaces(block, Kind::mnt, take_samples);
}

}  // namespace nsb::bench
