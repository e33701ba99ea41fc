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

namespace nsb::isolate {
namespace {

Answer own_pid(const std::string&) {
    return {0, std::to_string(getpid())};
}

/// Looked for by two calls that take a process number.
Answer find_process(const std::string& pid) {
    const bool is_seen = getpgid(std::stoi(pid)) >= 0 || errno != ESRCH;
    if (kill(std::stoi(pid), 0) == 0 || errno != ESRCH) return {0, "can be signalled"};
    if (is_seen) return {0, "is seen by getpgid"};
    return Answer::failed("kill and getpgid");
}

/// A child's child outlives its parent, and says who its parent is then.
Answer adopted_by(const std::string&) {
    sys::Pipe answer = sys::must(sys::Pipe::make(), "pipe2");
    const auto parent = sys::plain_fork();
    if (!parent) return Answer::failed("fork");
    if (*parent == 0) {
        const pid_t dying = getpid();
        const auto orphan = sys::plain_fork();
        if (!orphan || *orphan != 0) _exit(orphan ? 0 : 1);
        while (getppid() == dying) usleep(1000);
        const pid_t adopter = getppid();
        _exit(write(answer.write_end.get(), &adopter, sizeof adopter) == sizeof adopter ? 0 : 1);
    }
    answer.write_end.reset();
    (void)sys::reap(*parent);
    pid_t adopter = -1;
    if (read(answer.read_end.get(), &adopter, sizeof adopter) != sizeof adopter)
        return Answer::failed("read");
    return {0, std::to_string(adopter)};
}

/// The link /proc/self, which proc resolves in the pid namespace that it was mounted in.
Answer proc_self(const std::string&) {
    std::array<char, PATH_MAX> link{};
    const ssize_t length = readlink("/proc/self", link.data(), link.size());
    if (length < 0) return Answer::failed("readlink");
    return {0, std::string(link.data(), static_cast<std::size_t>(length))};
}

Answer is_in_proc(const std::string& pid) {
    if (access(fmt::format("/proc/{}/status", pid).c_str(), F_OK) != 0) return Answer::failed("access");
    return {0, "is there"};
}

Answer processes_in_proc(const std::string&) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") == std::string::npos) ++count;
    }
    return {0, std::to_string(count)};
}

Answer remount_proc(const std::string&) {
    make_own_mounts();
    mount_proc();
    return {};
}

/// For the checks after one that was to fail, whose /proc this is too.
Answer unmount_proc(const std::string&) {
    if (umount2("/proc", MNT_DETACH) != 0) return Answer::failed("umount2");
    return {};
}

/// Two pipes between a check and a process inside: one ends when that process does, by the other it is let
/// go.
struct Leash {
    sys::Pipe life = sys::must(sys::Pipe::make(), "pipe2");
    sys::Pipe release = sys::must(sys::Pipe::make(), "pipe2");
};

}  // namespace

Verdict check_init(Stage& stage) {
    Peer inside(stage.recipe(Kind::pid));
    const std::string seen = inside.must(own_pid);
    return judge(seen == "1" && inside.pid() != 1, fmt::format("process {}", seen),
                 fmt::format("process {}", inside.pid()));
}

Verdict check_unseen(Stage& stage) {
    const std::string target = std::to_string(stage.outside.pid());
    Peer inside(stage.recipe(Kind::pid));
    const Answer from_inside = inside.ask(find_process, target);
    const Answer from_outside = stage.outside.ask(find_process, target);
    return judge(from_inside.error == ESRCH && from_outside.error == 0,
                 fmt::format("process {}: {}", target, from_inside.seen()),
                 fmt::format("process {}: {}", target, from_outside.seen()));
}

Verdict check_orphans(Stage& stage) {
    Peer inside(stage.recipe(Kind::pid));
    const std::string first = inside.must(own_pid);
    const std::string adopter = inside.must(adopted_by);
    const std::string outside = stage.outside.must(adopted_by);
    return judge(first == "1" && adopter == first, fmt::format("adopted by process {}", adopter),
                 fmt::format("adopted by process {}", outside));
}

Verdict check_members_die(Stage& stage) {
    Leash leash;
    Container init = Container::start(stage.recipe(Kind::pid), [&] {
        leash.release.write_end.reset();
        leash.life.read_end.reset();
        const auto member = sys::plain_fork();
        if (!member) return 1;
        if (*member == 0) {
            setsid();
            char none = 0;
            if (write(leash.life.write_end.get(), "!", 1) != 1) _exit(1);
            _exit(read(leash.release.read_end.get(), &none, 1) == 0 ? 0 : 1);
        }
        leash.life.write_end.reset();
        pause();
        return 0;
    });
    leash.life.write_end.reset();
    leash.release.read_end.reset();
    char begun = 0;
    if (read(leash.life.read_end.get(), &begun, 1) != 1) {
        throw WentWrong("fork: no process beside process 1");
    }
    (void)init.end();
    // Process 1 cannot be reaped before all its others are gone (zap_pid_ns_processes): there is nothing to
    // wait for.
    pollfd life{leash.life.read_end.get(), POLLIN, 0};
    const bool is_gone = poll(&life, 1, 0) == 1 && (life.revents & POLLHUP) != 0;
    return judge(is_gone, "process 1 killed", is_gone ? "its member is gone" : "its member lives");
}

Verdict check_proc_before(Stage& stage) {
    const std::string target = std::to_string(stage.outside.pid());
    Peer inside(stage.recipe(Kind::pid));
    const std::string self = inside.must(own_pid);
    const std::string link = inside.ask(proc_self).seen();
    const Answer other = inside.ask(is_in_proc, target);
    const bool is_shown = link == std::to_string(inside.pid()) && other.error == 0;
    Verdict verdict =
        judge(is_shown && link != self,
              fmt::format("process {}, but /proc/self is {}; /proc/{} {}", self, link, target, other.seen()),
              fmt::format("/proc/self is {}", stage.outside.ask(proc_self).seen()));
    if (verdict.outcome == Outcome::failed) verdict.reason = "the same number on both sides, or not shown";
    return verdict;
}

Verdict check_proc_remounted(Stage& stage) {
    const std::string before = stage.outside.must(proc_self);
    Peer inside(stage.recipe(Kind::mnt | Kind::pid));
    const Answer mounted = inside.ask(remount_proc);
    if (mounted.error == EPERM && stage.left_out.empty()) {
        return skip(fmt::format(
            "{}: a path of /proc is mounted over, so that a user namespace may not show it", mounted.text));
    }
    if (mounted.error != 0) throw WentWrong(mounted.text);
    const std::string link = inside.ask(proc_self).seen();
    const std::string count = inside.must(processes_in_proc);
    const std::string after = stage.outside.ask(proc_self).seen();
    inside.must(unmount_proc);
    return judge(link == "1" && count == "1" && after == before,
                 fmt::format("processes: {}, /proc/self is {}", count, link),
                 fmt::format("/proc/self is {}", after));
}

}  // namespace nsb::isolate
