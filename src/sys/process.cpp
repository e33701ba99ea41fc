#include "sys/process.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <ctime>

#include "sys/child.h"
#include "sys/error.h"

namespace nsb::sys {
namespace {

/// A copy of a descriptor, with the lowest free number from `first` on. Throws SystemError.
Fd copy_from(int first, int fd) {
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, first);
    // A number that the limit does not allow is EINVAL, a free one that is not to be had EMFILE: both mean
    // the limit.
    if (copy < 0) throw SystemError("fcntl", "F_DUPFD_CLOEXEC", errno == EINVAL ? EMFILE : errno);
    return Fd(copy);
}

using Clock = std::chrono::steady_clock;

/// How a child ended within so long, which stays to be waited for; nothing where it goes on, or where the
/// kernel does not say. It is looked at each millisecond: a pidfd, whose poll(2) would wake this up, is not
/// to be had where descriptors are few.
std::optional<siginfo_t> end_of(pid_t child, std::chrono::milliseconds limit) {
    constexpr timespec kPause{0, 1'000'000};
    const Clock::time_point last = Clock::now() + limit;
    for (;;) {
        const bool is_last = Clock::now() >= last;
        siginfo_t end{};
        const int found = waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOHANG | WNOWAIT);
        if (found == 0 && end.si_pid == child) return end;
        if (is_last || (found != 0 && errno != EINTR)) return std::nullopt;
        nanosleep(&kPause, nullptr);
    }
}

}  // namespace

Process::Process(const std::filesystem::path& program, const std::vector<int>& descriptors,
                 const std::vector<std::string>& arguments, std::optional<int> output) {
    // Opened here rather than by the child, whose errno would not say of what it is.
    const Fd nothing(static_cast<int>(must(open("/dev/null", O_RDWR | O_CLOEXEC), "open", "/dev/null")));
    // First out of the way of each other, then into place: a descriptor may sit where another has to go.
    const int first_free = 3 + static_cast<int>(descriptors.size());
    std::vector<Fd> copies;
    copies.reserve(descriptors.size());
    for (const int fd : descriptors) copies.push_back(copy_from(first_free, fd));
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    for (int fd = 0; fd < 3; ++fd) posix_spawn_file_actions_adddup2(&actions, nothing.get(), fd);
    if (output) posix_spawn_file_actions_adddup2(&actions, *output, STDOUT_FILENO);
    for (std::size_t i = 0; i < copies.size(); ++i) {
        posix_spawn_file_actions_adddup2(&actions, copies[i].get(), 3 + static_cast<int>(i));
    }
    // Whatever else is open here, inherited from who started it, is not for it: a clone would copy it each
    // time.
    posix_spawn_file_actions_addclosefrom_np(&actions, first_free);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    // A process group of its own, which no key of the terminal signals. Not a session: that would be a
    // scheduling group as well (sched_autogroup_create_attach), and each wake-up of a child dearer by one.
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::vector<std::string> strings{program.native()};
    strings.insert(strings.end(), arguments.begin(), arguments.end());
    std::vector<char*> words;
    for (std::string& string : strings) words.push_back(string.data());
    words.push_back(nullptr);
    char* environment[] = {nullptr};
    const int error = posix_spawn(&pid_, program.c_str(), &actions, &attributes, words.data(), environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        pid_ = -1;
        throw SystemError("posix_spawn", program.native(), error);
    }
}

Result<int> poll_within(std::span<pollfd> sources, std::chrono::milliseconds limit) {
    const Clock::time_point end = Clock::now() + limit;
    return checked(retried([&] {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        return poll(sources.data(), sources.size(),
                    static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    }));
}

bool Process::ends_within(std::chrono::milliseconds limit) {
    if (pid_ < 0) return true;
    if (!end_of(pid_, limit)) return false;
    (void)reap(std::exchange(pid_, -1));
    return true;
}

std::optional<int> Process::exit_code_within(std::chrono::milliseconds limit) const {
    if (pid_ < 0) return std::nullopt;
    const auto end = end_of(pid_, limit);
    return end && end->si_code == CLD_EXITED ? std::optional(end->si_status) : std::nullopt;
}

Result<std::string> output_of(const std::filesystem::path& program,
                              const std::vector<std::string>& arguments) {
    static constexpr auto kPatience = std::chrono::seconds(5);
    static constexpr std::size_t kMostOutput = 1U << 20U;
    const auto file = Fd::own(memfd_create("output", MFD_CLOEXEC));
    if (!file) return tl::unexpected(file.error());
    try {
        Process process(program, {}, arguments, file->get());
        if (!process.ends_within(kPatience)) return tl::unexpected(ETIMEDOUT);
    } catch (const SystemError& error) {
        return tl::unexpected(error.error());
    }
    // Not by the place in the file, at which a child that the program has left may go on writing.
    std::string text(kMostOutput, '\0');
    const ssize_t got = retried([&] { return pread(file->get(), text.data(), text.size(), 0); });
    if (got < 0) return tl::unexpected(errno);
    text.resize(static_cast<std::size_t>(got));
    return text;
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

std::filesystem::path own_program() {
    constexpr const char* kOwn = "/proc/self/exe";
    std::error_code error;
    std::filesystem::path own = std::filesystem::read_symlink(kOwn, error);
    if (error) throw SystemError("readlink", kOwn, error.value());
    return own;
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

bool is_held_to(pid_t pid, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(pid, sizeof set, &set) != 0 || (CPU_COUNT(&set) == 1 && CPU_ISSET(cpu, &set));
}

Result<int> restrict_to(pid_t pid, const std::vector<int>& cpus) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int cpu : cpus) CPU_SET(cpu, &set);
    return checked(sched_setaffinity(pid, sizeof set, &set));
}

}  // namespace nsb::sys
