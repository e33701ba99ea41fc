// pid: process numbers, who adopts orphans, and who dies with process 1.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <climits>
#include <csignal>
#include <filesystem>

#include "core/failure.h"
#include "isolate/checks.h"
#include "isolate/inside.h"
#include "sys/child.h"
#include "sys/error.h"
#include "sys/process.h"

namespace nsb::isolate {
namespace {

PeerAnswer own_pid(const std::string&) {
    return {0, std::to_string(getpid())};
}

/// Looked for by two calls that take a process number. Neither is refused to who may see the process.
PeerAnswer find_process(const std::string& pid) {
    if (kill(std::stoi(pid), 0) == 0) return {0, "can be signalled"};
    if (errno != ESRCH) return PeerAnswer::failed("kill");
    if (getpgid(std::stoi(pid)) >= 0) return {0, "is seen by getpgid"};
    return PeerAnswer::failed(errno == ESRCH ? "kill and getpgid" : "getpgid");
}

/// A child's child outlives its parent, and says who its parent is then.
PeerAnswer adopted_by(const std::string&) {
    sys::Pipe answer = sys::must(sys::Pipe::make(), "pipe2");
    const auto parent = sys::plain_fork();
    if (!parent) return PeerAnswer::failed("fork");
    if (*parent == 0) {
        const pid_t dying = getpid();
        const auto orphan = sys::plain_fork();
        if (!orphan || *orphan != 0) _exit(orphan ? 0 : orphan.error());
        while (getppid() == dying) usleep(1000);
        const pid_t adopter = getppid();
        const auto tell = [&] { return write(answer.write_end.get(), &adopter, sizeof adopter); };
        _exit(sys::retried(tell) == sizeof adopter ? 0 : 1);
    }
    answer.write_end.reset();
    errno = exit_code(sys::must(sys::reap(*parent), "wait4"));
    if (errno != 0) return PeerAnswer::failed("fork");
    pid_t adopter = -1;
    const auto got = sys::retried([&] { return read(answer.read_end.get(), &adopter, sizeof adopter); });
    if (got != sizeof adopter) return PeerAnswer::nothing(got, "read");
    return {0, std::to_string(adopter)};
}

/// The link /proc/self: this process's number in the pid namespace that proc was mounted in.
PeerAnswer proc_self(const std::string&) {
    std::array<char, PATH_MAX> link{};
    const ssize_t length = readlink("/proc/self", link.data(), link.size());
    if (length < 0) return PeerAnswer::failed("readlink");
    return {0, std::string(link.data(), static_cast<std::size_t>(length))};
}

PeerAnswer is_in_proc(const std::string& pid) {
    if (access(fmt::format("/proc/{}/status", pid).c_str(), F_OK) != 0) return PeerAnswer::failed("access");
    return {0, "is there"};
}

PeerAnswer processes_in_proc(const std::string&) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") == std::string::npos) ++count;
    }
    return {0, std::to_string(count)};
}

PeerAnswer remount_proc(const std::string&) {
    make_own_mounts();
    mount_proc();
    return {};
}

/// For the checks after one that was to fail, whose /proc this is too.
PeerAnswer unmount_proc(const std::string&) {
    if (umount2("/proc", MNT_DETACH) != 0) return PeerAnswer::failed("umount2");
    return {};
}

/// Two pipes between a check and a process inside: one ends when that process does, by the other it is let
/// go.
struct Leash {
    sys::Pipe life = sys::must(sys::Pipe::make(), "pipe2");
    sys::Pipe release = sys::must(sys::Pipe::make(), "pipe2");
};

}  // namespace

Verdict check_init(CheckContext& context) {
    Peer inside(context.recipe(Kind::pid));
    const std::string seen = inside.must(own_pid);
    return judge(seen == "1" && inside.pid() != 1, fmt::format("process {}", seen),
                 fmt::format("process {}", inside.pid()));
}

Verdict check_unseen(CheckContext& context) {
    const std::string target = std::to_string(context.outside.pid());
    Peer inside(context.recipe(Kind::pid));
    const PeerAnswer from_inside = inside.ask(find_process, target, {ESRCH});
    const PeerAnswer from_outside = context.outside.ask(find_process, target);
    return judge(from_inside.error == ESRCH, fmt::format("process {}: {}", target, from_inside.seen()),
                 fmt::format("process {}: {}", target, from_outside.seen()));
}

Verdict check_orphans(CheckContext& context) {
    Peer inside(context.recipe(Kind::pid));
    const std::string first = inside.must(own_pid);
    const std::string adopter = inside.must(adopted_by);
    const std::string outside = context.outside.must(adopted_by);
    return judge(first == "1" && adopter == first, fmt::format("adopted by process {}", adopter),
                 fmt::format("adopted by process {}", outside));
}

Verdict check_members_die(CheckContext& context) {
    Leash leash;
    Container init = Container::start(context.recipe(Kind::pid), [&] {
        leash.release.write_end.reset();
        leash.life.read_end.reset();
        const auto member = sys::plain_fork();
        if (!member) return member.error();
        if (*member == 0) {
            setsid();
            char none = 0;
            if (sys::retried([&] { return write(leash.life.write_end.get(), "!", 1); }) != 1) _exit(1);
            _exit(sys::retried([&] { return read(leash.release.read_end.get(), &none, 1); }) == 0 ? 0 : 1);
        }
        leash.life.write_end.reset();
        pause();
        return 0;
    });
    leash.life.write_end.reset();
    leash.release.read_end.reset();
    char begun = 0;
    if (sys::retried([&] { return read(leash.life.read_end.get(), &begun, 1); }) != 1) {
        const int error = exit_code(init.wait());
        throw WentWrong(fmt::format("fork: {}", errno_name(error)), error);
    }
    if (!init.end()) throw WentWrong(fmt::format("kill: {}", errno_name(errno)), errno);
    // Process 1 cannot be reaped before all its others are gone (zap_pid_ns_processes): there is nothing to
    // wait for.
    pollfd life{leash.life.read_end.get(), POLLIN, 0};
    const bool is_gone =
        sys::must(sys::poll_within({&life, 1}, {}), "poll") == 1 && (life.revents & POLLHUP) != 0;
    return judge(is_gone, "process 1 killed", is_gone ? "its member is gone" : "its member lives");
}

Verdict check_proc_before(CheckContext& context) {
    // In /proc, which may be of an outer pid namespace already.
    const std::string target = number_in_proc(context.outside.pid());
    Peer inside(context.recipe(Kind::pid));
    const std::string self = inside.must(own_pid);
    const std::string link = inside.ask(proc_self, "", {ENOENT}).seen();
    const PeerAnswer other = inside.ask(is_in_proc, target, {ENOENT});
    const bool is_outsides = link == number_in_proc(inside.pid());
    if (is_outsides && link != self && other.error != 0) {
        return skip(
            fmt::format("/proc/{}: {}: hidden from who may not trace it (hidepid)", target, other.text));
    }
    const bool is_shown = is_outsides && other.error == 0;
    Verdict verdict =
        judge(is_shown && link != self,
              fmt::format("process {}, but /proc/self is {}; /proc/{} {}", self, link, target, other.seen()),
              fmt::format("/proc/self is {}", context.outside.ask(proc_self).seen()));
    if (verdict.outcome == Outcome::failed) verdict.reason = "the same number on both sides, or not shown";
    return verdict;
}

Verdict check_proc_remounted(CheckContext& context) {
    const std::string before = context.outside.ask(proc_self, "", {ENOENT}).seen();
    Peer inside(context.recipe(Kind::mnt | Kind::pid));
    const PeerAnswer mounted = inside.ask(remount_proc, "", {EPERM});
    if (mounted.error == EPERM && context.left_out.empty()) {
        return skip(fmt::format(
            "{}: a path of /proc is mounted over, so that a user namespace may not show it", mounted.text));
    }
    if (mounted.error != 0) throw WentWrong(mounted.text, mounted.error);
    const std::string link = inside.ask(proc_self, "", {ENOENT}).seen();
    const std::string count = inside.must(processes_in_proc);
    const std::string after = context.outside.ask(proc_self, "", {ENOENT}).seen();
    inside.must(unmount_proc);
    return judge(link == "1" && count == "1" && after == before,
                 fmt::format("processes: {}, /proc/self is {}", count, link),
                 fmt::format("/proc/self is {}", after));
}

}  // namespace nsb::isolate
