#include "core/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace nsb {

namespace {

/// What is missing where a call ends with ENOENT or ESRCH.
enum class About : std::uint8_t { neither, path, process };

constexpr auto kAbout = std::to_array<About>({
#define NSB_CALL(identifier, name, needs, about) About::about,
#include "core/calls.def"
#undef NSB_CALL
});

/// A process is told by its number in /proc.
bool is_about(About what, protocol::Call call) {
    return kAbout[static_cast<std::size_t>(call)] == what;
}

struct Limit {
    int error;
    std::string_view words;  ///< which one, and what helps
};
/// The limits of a place: where one is in the way, nothing has broken.
constexpr auto kLimits = std::to_array<Limit>({
    {EAGAIN,
     "a limit on processes is reached: RLIMIT_NPROC (ulimit -u), kernel.pid_max or the cgroup's pids.max"},
    {EMFILE, "the limit of open files is too low: ulimit -n 1024"},
    {ENFILE, "all open files of the machine are taken: sysctl -w fs.file-max=1000000"},
    {ENOMEM, "there is not enough memory: a higher ulimit -v, or memory.max of the cgroup, helps"},
    {EFBIG, "the limit of a file's size is too low: ulimit -f unlimited"},
    {ENOSPC,
     "a limit is reached: user.max_*_namespaces (sysctl -w user.max_net_namespaces=15000), fs.mount-max, or "
     "32 "
     "nested levels"},
});

}  // namespace

bool is_unsupported(const protocol::Failure& failure) {
    switch (failure.error) {
        case EPERM:
        case EACCES:
        case ENOSYS:
        case EINVAL:
        case EOPNOTSUPP:
        case ENODEV:
        case ENOENT:
            return failure.call != protocol::Call::sampler;
        case ESRCH:
            return is_about(About::process, failure.call);
        default:
            return false;
    }
}

std::string errno_name(int error) {
    const char* const name = strerrorname_np(error);
    return name != nullptr ? name : std::to_string(error);
}

std::string_view limit_behind(int error) {
    const std::string_view words = limit_behind_call(error);
    return error == ENOSPC ? "" : words;  // of a file: the disk is full
}

std::string_view limit_behind_call(int error) {
    const auto* const found = std::ranges::find(kLimits, error, &Limit::error);
    return found == kLimits.end() ? "" : found->words;
}

bool is_named_limit(std::string_view errno_name) {
    return std::ranges::any_of(
        kLimits, [&](const Limit& limit) { return nsb::errno_name(limit.error) == errno_name; });
}

std::string explain(const protocol::Failure& failure, KindSet set, std::optional<Capabilities> held) {
    if (failure.call == protocol::Call::sampler && failure.error == ECHILD) {
        return "the sampler was killed or crashed in this case; a new one went on with the others";
    }
    if (failure.call == protocol::Call::runtime && failure.error == ECHILD) {
        return "the runtime did not start the program, and did not say why";
    }
    const auto meaning = [&]() -> std::string {
        switch (failure.error) {
            case EPERM:
            case EACCES:
                if (failure.call == protocol::Call::fsopen && set.contains(Kind::user))
                    return "inside a new user namespace the mount namespace around it is another one's";
                return fmt::format("not permitted: {}", why_not_permitted(needed(failure.call, set), held));
            case ENOSYS:
                return "no such system call: the kernel or a seccomp filter does not have it";
            case ESRCH:
                return is_about(About::process, failure.call) ? kForeignProc : "";
            case EINVAL:
                if (failure.call == protocol::Call::pivot_root)
                    return "the root is no mount that can be left, as in a chroot";
                return "this kernel does not take these flags or options";
            case EOPNOTSUPP:
                if (failure.call == protocol::Call::link_add)
                    return "this kernel has no veth, or no bridge: modprobe -a veth bridge";
                return "this kernel does not take these flags or options";
            case ENOENT:
                // A directory or file by its path is another matter.
                if (is_about(About::path, failure.call)) return "";
                if (failure.call == protocol::Call::open_map) return "there is no /proc to write it through";
                return "this kernel does not have that kind of namespace";
            case ENODEV:
                return "this kernel does not have that file system";
            case ENOMEM:
                return fmt::format("{}; or the init of the pid namespace is gone",
                                   limit_behind_call(failure.error));
            case ERANGE:
                return "the time stamp counters of two CPUs disagree; --cpu=N measures on one";
            case ETIMEDOUT:
                return "no answer in time: it was killed";
            case ECHILD:
                return "the child did not end as it should";
            default:
                return std::string(limit_behind_call(failure.error));
        }
    }();
    const char* const description = strerrordesc_np(failure.error);
    std::string text = fmt::format("{}: {}", protocol::name(failure.call),
                                   description != nullptr ? description : "unknown error");
    if (!meaning.empty()) text += fmt::format(" ({})", meaning);
    return text;
}

}  // namespace nsb
