#include "sys/process.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>

#include "sys/child.h"
#include "sys/error.h"

namespace nsb::sys {

Process::Process(const std::filesystem::path& program, const std::vector<int>& descriptors) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    for (int fd = 0; fd < 3; ++fd) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    // First out of the way of each other, then into place: a descriptor may sit where another has to go.
    std::vector<Fd> copies;
    copies.reserve(descriptors.size());
    for (const int fd : descriptors) {
        copies.emplace_back(
            static_cast<int>(must(fcntl(fd, F_DUPFD_CLOEXEC, 64), "fcntl", "F_DUPFD_CLOEXEC")));
        posix_spawn_file_actions_adddup2(&actions, copies.back().get(), 2 + static_cast<int>(copies.size()));
    }
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::string name = program.native();
    char* arguments[] = {name.data(), nullptr};
    char* environment[] = {nullptr};
    const int error = posix_spawn(&pid_, program.c_str(), &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        pid_ = -1;
        throw SystemError("posix_spawn", program.native(), error);
    }
}

std::optional<int> Process::kill_and_reap() {
    if (pid_ < 0) return std::nullopt;
    kill(pid_, SIGKILL);
    const auto status = reap(std::exchange(pid_, -1));
    return status ? std::optional(*status) : std::nullopt;
}

Result<pid_t> fork_into(std::uint64_t flags) {
    clone_args args{};
    args.flags = flags;
    args.exit_signal = SIGCHLD;
    const auto pid = checked(static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args)));
    // CLONE_NEWTIME is no flag of clone(2): that bit belongs to its exit signal.
    if (pid || pid.error() != ENOSYS || (flags & CLONE_NEWTIME) != 0) return pid;
    return checked(static_cast<pid_t>(syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, 0)));
}

std::vector<int> allowed_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    must(sched_getaffinity(0, sizeof set, &set), "sched_getaffinity");
    std::vector<int> cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
    return cpus;
}

Result<int> restrict_to(pid_t pid, const std::vector<int>& cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int cpu : cpus) CPU_SET(cpu, &set);
    return checked(sched_setaffinity(pid, sizeof set, &set));
}

}  // namespace nsb::sys
