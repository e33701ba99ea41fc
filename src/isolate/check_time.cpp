// time: offsets of two clocks, which can be set before the namespace's first process only.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>

#include "isolate/checks.h"
#include "sys/child.h"
#include "sys/file.h"

namespace nsb::isolate {
namespace {

constexpr long kOffset = 1'000'000;  // seconds
constexpr long kAtMost = 60;         // that the check itself may take

struct Clock {
    const char* name;
    clockid_t id;
};
constexpr std::array<Clock, 2> kClocks{{{"monotonic", CLOCK_MONOTONIC}, {"boottime", CLOCK_BOOTTIME}}};

/// What a clock says by the system call and by the vDSO, in seconds; -1 where they disagree.
long seconds(clockid_t clock) {
    timespec by_call{};
    timespec by_vdso{};
    syscall(SYS_clock_gettime, clock, &by_call);
    clock_gettime(clock, &by_vdso);
    return std::labs(by_call.tv_sec - by_vdso.tv_sec) <= 1 ? by_call.tv_sec : -1;
}

Answer read_clock(const std::string& index) {
    return {0, std::to_string(seconds(kClocks[std::stoul(index)].id))};
}

/// The errno of the first step that failed, and the clock inside.
struct Told {
    int error;
    const char* step;
    long seconds;
};

/// The new namespace's first process reads the clock.
Told read_in_new_namespace(const Clock& clock, bool is_new, int channel) {
    if (is_new && unshare(CLONE_NEWTIME) != 0) return {errno, "unshare(CLONE_NEWTIME)", 0};
    const std::string text = fmt::format("{} {} 0", clock.name, kOffset);
    const sys::Fd file(open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC));
    if (write(file.get(), text.data(), text.size()) < 0) return {errno, "write(timens_offsets)", 0};
    const auto child = sys::plain_fork();
    if (!child) return {child.error(), "fork", 0};
    if (*child == 0) {
        const Told told{0, "", seconds(clock.id)};
        _exit(write(channel, &told, sizeof told) == sizeof told ? 0 : 1);
    }
    (void)sys::reap(*child);
    return {};
}

/// `argument`: the clock's index, and "new" unless the namespace is left out.
Answer offset_clock(const std::string& argument) {
    const Clock clock = kClocks[static_cast<std::size_t>(argument[0] - '0')];
    int ends[2];
    sys::must(pipe2(ends, O_CLOEXEC), "pipe2");
    const sys::Fd read_end(ends[0]);
    sys::Fd write_end(ends[1]);
    const auto child = sys::plain_fork();
    if (!child) return Answer::failed("fork");
    if (*child == 0) {
        const Told told = read_in_new_namespace(clock, argument.ends_with("new"), write_end.get());
        if (told.error == 0) _exit(0);
        _exit(write(write_end.get(), &told, sizeof told) == sizeof told ? 0 : 1);
    }
    write_end.reset();
    (void)sys::reap(*child);
    Told told{};
    if (read(read_end.get(), &told, sizeof told) != sizeof told) {
        errno = ECHILD;
        return Answer::failed("read");
    }
    errno = told.error;
    if (told.error != 0) return Answer::failed(told.step);
    return {0, std::to_string(told.seconds)};
}

Verdict check_clock(Stage& stage, std::size_t index) {
    // Made by unshare inside, since offsets cannot be set once clone3 has put a process there.
    const bool is_left_out = stage.left_out.contains(Kind::time);
    Peer inside(stage.recipe(KindSet{}));
    const std::string before = stage.outside.must(read_clock, std::to_string(index));
    const Answer seen = inside.ask(offset_clock, fmt::format("{} {}", index, is_left_out ? "" : "new"));
    const std::string after = stage.outside.must(read_clock, std::to_string(index));
    if (seen.error == EINVAL || seen.error == ENOENT) {
        return skip(fmt::format("{}: this kernel has no time namespaces", seen.text));
    }
    if (seen.error != 0) return {Outcome::failed, "", after, seen.text};
    const long difference = std::stol(seen.text) - std::stol(before);
    const bool is_offset = difference >= kOffset && difference <= kOffset + kAtMost;
    const bool is_untouched = std::stol(after) - std::stol(before) <= kAtMost;
    return judge(is_offset && is_untouched, fmt::format("{} s", seen.text), fmt::format("{} s", after));
}

}  // namespace

Verdict check_monotonic(Stage& stage) {
    return check_clock(stage, 0);
}

Verdict check_boottime(Stage& stage) {
    return check_clock(stage, 1);
}

}  // namespace nsb::isolate
