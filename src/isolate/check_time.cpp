// time: offsets of two clocks, which can be set before the namespace's first process only.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>

#include "isolate/checks.h"
#include "sys/child.h"

namespace nsb::isolate {
namespace {

constexpr long kOffset = 1'000'000;  // seconds
constexpr long kAtMost = 60;         // that the check itself may take
constexpr const char* kTheSame = "the same time namespace";

struct OffsetClock {
    const char* name;
    clockid_t id;
};
constexpr std::array<OffsetClock, 2> kClocks{{{"monotonic", CLOCK_MONOTONIC}, {"boottime", CLOCK_BOOTTIME}}};

/// What a clock says by the system call and by the vDSO, in seconds; -1 where they disagree.
long seconds(clockid_t clock) {
    timespec by_call{};
    timespec by_vdso{};
    sys::must(syscall(SYS_clock_gettime, clock, &by_call), "clock_gettime");
    sys::must(clock_gettime(clock, &by_vdso), "clock_gettime", "vDSO");
    return std::labs(by_call.tv_sec - by_vdso.tv_sec) <= 1 ? by_call.tv_sec : -1;
}

PeerAnswer read_clock(const std::string& index) {
    return {0, std::to_string(seconds(kClocks[std::stoul(index)].id))};
}

/// What is to be written so that a new namespace's clock is ahead of this one's: it begins with the offset of
/// the one around it (clone_time_ns() in kernel/time/namespace.c), and an offset is from the machine's clock.
std::string ahead(const OffsetClock& clock, const std::string& offsets) {
    std::ifstream file(offsets);
    std::string name;
    long seconds = 0;
    long nanoseconds = 0;
    while (file >> name >> seconds >> nanoseconds) {
        if (name == clock.name) return fmt::format("{} {} {}", name, seconds + kOffset, nanoseconds);
    }
    return fmt::format("{} {} 0", clock.name, kOffset);
}

/// The errno of the first step that failed, and the clock inside; or that there is no new namespace.
struct Told {
    int error = 0;
    const char* step = "";
    bool is_missing = false;  ///< this kernel has no time namespaces
    bool is_the_same = false;
    long seconds = 0;
};

void tell(int channel, const Told& told) {
    const auto say = [&] { return write(channel, &told, sizeof told); };
    _exit(sys::retried(say) == sizeof told ? 0 : 1);
}

/// The new namespace's first process reads the clock and tells it. This one tells what kept it from that.
void read_in_new_namespace(const OffsetClock& clock, bool is_new, int channel) {
    if (is_new && unshare(CLONE_NEWTIME) != 0) {
        return tell(channel, {errno, "unshare(CLONE_NEWTIME)", errno == EINVAL});
    }
    const auto link_of = [](const char* name) {
        const std::string path = path_in_proc({}, name);
        std::error_code error;
        return std::filesystem::read_symlink(path, error).native();
    };
    const std::string for_children = link_of("ns/time_for_children");
    if (!for_children.empty() && for_children == link_of("ns/time"))
        return tell(channel, {.is_the_same = true});
    const std::string offsets = path_in_proc({}, "timens_offsets");
    const std::string text = ahead(clock, offsets);
    const sys::Fd file(open(offsets.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file) return tell(channel, {errno, "open(timens_offsets)", errno == ENOENT});
    if (sys::retried([&] { return write(file.get(), text.data(), text.size()); }) < 0) {
        return tell(channel, {errno, "write(timens_offsets)"});
    }
    const auto child = sys::plain_fork();
    if (!child) return tell(channel, {child.error(), "fork"});
    if (*child == 0) tell(channel, {.seconds = seconds(clock.id)});
    (void)sys::reap(*child);
}

/// `argument`: the clock's index, and "new" unless the namespace is left out.
PeerAnswer offset_clock(const std::string& argument) {
    const OffsetClock clock = kClocks[static_cast<std::size_t>(argument[0] - '0')];
    sys::Pipe pipe = sys::must(sys::Pipe::make(), "pipe2");
    const auto child = sys::plain_fork();
    if (!child) return PeerAnswer::failed("fork");
    if (*child == 0) {
        read_in_new_namespace(clock, argument.ends_with("new"), pipe.write_end.get());
        _exit(0);
    }
    pipe.write_end.reset();
    (void)sys::reap(*child);
    Told told;
    const auto got = sys::retried([&] { return read(pipe.read_end.get(), &told, sizeof told); });
    if (got != sizeof told) return PeerAnswer::nothing(got, "read");
    errno = told.error;
    if (told.is_missing)
        return {ENOSYS, PeerAnswer::failed(told.step).text + ": this kernel has no time namespaces"};
    if (told.error != 0) return PeerAnswer::failed(told.step);
    return {0, told.is_the_same ? kTheSame : std::to_string(told.seconds)};
}

Verdict check_clock(CheckContext& context, std::size_t index) {
    // Made by unshare inside, since offsets cannot be set once clone3 has put a process there.
    const bool is_left_out = context.left_out.contains(Kind::time);
    Peer inside(context.recipe(KindSet{}));
    const std::string before = context.outside.must(read_clock, std::to_string(index));
    const PeerAnswer seen = inside.ask(offset_clock, fmt::format("{} {}", index, is_left_out ? "" : "new"));
    const std::string after = context.outside.must(read_clock, std::to_string(index));
    if (seen.text == kTheSame) return judge(false, seen.text, fmt::format("{} s", after));
    const long difference = std::stol(seen.text) - std::stol(before);
    const bool is_offset = difference >= kOffset && difference <= kOffset + kAtMost;
    const bool is_untouched = std::stol(after) - std::stol(before) <= kAtMost;
    return judge(is_offset && is_untouched, fmt::format("{} s", seen.text), fmt::format("{} s", after));
}

}  // namespace

Verdict check_monotonic(CheckContext& context) {
    return check_clock(context, 0);
}

Verdict check_boottime(CheckContext& context) {
    return check_clock(context, 1);
}

}  // namespace nsb::isolate
