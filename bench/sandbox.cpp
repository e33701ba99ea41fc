#include "sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <csignal>
#include <cstring>

#include "inside.h"
#include "sys/id_maps.h"
#include "sys/mount.h"
#include "sys/runtime_cgroups.h"

namespace nsb::bench {
namespace {

constexpr std::size_t kStack = 256U << 10U;

/// Directories that a runtime mounts something on, or insists on.
constexpr const char* kDirectories[] = {"/run/nsbench",
                                        "/run/nsbench/rootfs",
                                        "/run/nsbench/rootfs/dev",
                                        "/run/nsbench/rootfs/etc",
                                        "/run/nsbench/rootfs/proc",
                                        "/run/nsbench/rootfs/run",
                                        "/run/nsbench/rootfs/sys",
                                        "/run/nsbench/rootfs/tmp",
                                        "/run/nsbench/rootfs/usr",
                                        "/run/nsbench/rootfs/var"};

Failure failure_here{Call::sandbox, EINVAL};

struct SandboxStart {
    int (*serve)();
    const sys::IdMaps* maps;  ///< null where no user namespace is made
};

Failure set_up(const SandboxStart& start) {
    if (start.maps != nullptr) {
        if (const Failure failure = start.maps->write_own(); failure.error != 0) return failure;
    }
    if (const auto cut = sys::make_mounts_private(); !cut) return {Call::mount_private, cut.error()};
    // runc makes devices in the root that it is given.
    if (const auto run = sys::mount_tmpfs("/run", sys::Devices::yes); !run)
        return {Call::mount_tmpfs, run.error()};
    if (const auto proc = sys::mount_proc("/proc"); !proc) return {Call::mount, proc.error()};
    // crun refuses a version 2 hierarchy beside those of version 1; where there is none, there is nothing to
    // hide.
    (void)umount2("/sys/fs/cgroup/unified", MNT_DETACH);
    for (const char* const directory : kDirectories) {
        if (mkdir(directory, 0755) != 0) return {Call::mkdir, errno};
    }
    for (const auto& [path, image] : {std::pair{"/run/nsbench/rootfs/program", program_image()},
                                      std::pair{"/run/nsbench/rootfs/reporter", reporter_image()}}) {
        if (const Failure failure = write_image(path, image); failure.error != 0) return failure;
    }
    if (chdir("/run/nsbench") != 0) return {Call::chdir, errno};
    return {};
}

int first_process(void* argument) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();  // nsbench's terminal is not for runtimes
    const SandboxStart& start = *static_cast<const SandboxStart*>(argument);
    failure_here = set_up(start);
    return start.serve();
}

/// Whether nsbench has something to say (true), or is gone.
bool is_asked() {
    pollfd socket{protocol::kSocket, POLLIN, 0};
    (void)sys::retried([&] { return poll(&socket, 1, -1); });
    return (socket.revents & POLLIN) != 0;
}

void wait_for_either_end(pid_t sandbox) {
    const auto ended = sys::Fd::own(syscall(SYS_pidfd_open, sandbox, 0));
    pollfd ends[] = {{protocol::kSocket, 0, 0}, {ended ? ended->get() : -1, POLLIN, 0}};
    (void)sys::retried([&] { return poll(ends, 2, -1); });
}

}  // namespace

Failure sandbox_failure() {
    return failure_here;
}

int serve_in_sandbox(int (*serve)()) {
    // By the first request nsbench has pinned this process, and the sandbox inherits that.
    if (!is_asked()) return 0;
    const sys::RuntimeCgroups cgroups(getpid());
    const auto stack = sys::Stack::map(kStack, false);
    if (!stack) return 1;
    const sys::IdMaps maps;
    SandboxStart start{serve, nullptr};
    sys::CloneOptions options;
    options.flags = CLONE_NEWPID | CLONE_NEWNS;
    auto sandbox = sys::clone_child(options, *stack, first_process, &start);
    if (!sandbox && sandbox.error() == EPERM) {
        start.maps = &maps;
        options.flags |= CLONE_NEWUSER;
        sandbox = sys::clone_child(options, *stack, first_process, &start);
    }
    if (!sandbox) {
        failure_here = {Call::clone, sandbox.error()};
        return serve();
    }
    wait_for_either_end(*sandbox);
    kill(*sandbox, SIGKILL);
    (void)sys::reap(*sandbox);
    return 0;
}

}  // namespace nsb::bench
