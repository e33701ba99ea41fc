#include "core/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/chroot.h"

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

/// What an errno of this call means, where it is about another limit than that of other calls.
struct LimitOfCall {
    protocol::Call call;
    int error;
    std::string_view words;
};
constexpr std::string_view kFewFiles =
    "the limit of open files is too low for so many, and may not be raised: ulimit -Hn, or sysctl -w "
    "fs.nr_open=2000000";
constexpr std::string_view kFewNetNamespaces =
    "user.max_net_namespaces is reached, with those that are still being torn down: sysctl -w "
    "user.max_net_namespaces=100000";
constexpr std::string_view kFewMounts =
    "fs.mount-max (sysctl -w fs.mount-max=1000000) or user.max_mnt_namespaces is reached";
constexpr std::string_view kFewCgroups =
    "cgroup.max.descendants or cgroup.max.depth of a cgroup above is reached";
constexpr std::string_view kNotDelegated =
    "not permitted: cgroups take root, or a cgroup of one's own: systemd-run --user --scope -p Delegate=yes "
    "nsbench ...";
constexpr std::string_view kNoUserNamespace =
    "not permitted here: without root it takes a user namespace, which a setting, a security module or a "
    "seccomp filter forbids; run as root";
using protocol::Call;
constexpr auto kLimitsOfCalls = std::to_array<LimitOfCall>({
    {Call::set_mounts, ENOSPC, kFewMounts},
    {Call::set_peers, ENOSPC, kFewMounts},
    {Call::set_netns, ENOSPC, kFewNetNamespaces},
    {Call::set_dying, ENOSPC, kFewNetNamespaces},
    {Call::set_pidns, ENOSPC,
     "user.max_pid_namespaces is reached (sysctl -w user.max_pid_namespaces=100000), or 32 nested levels "
     "are"},
    {Call::set_depth, ENOSPC,
     "32 nested levels are reached, with those that nsbench itself runs in, or user.max_user_namespaces or "
     "user.max_pid_namespaces is"},
    {Call::set_netns, EMFILE, kFewFiles},
    {Call::set_dying, EMFILE, kFewFiles},
    {Call::set_fds, EMFILE, kFewFiles},
    {Call::set_cgroups, EAGAIN, kFewCgroups},
    {Call::set_cgroups, EPERM, kNotDelegated},
    {Call::set_cgroups, EACCES, kNotDelegated},
    {Call::set_cgroups, EROFS,
     "/sys/fs/cgroup is mounted read-only, as in a container; run as root of the host"},
    {Call::set_cgroups, ENOENT,
     "this kernel has no cgroups of version 2, or they are not mounted in /sys/fs/cgroup"},
    {Call::make_cgroup, EPERM, kNotDelegated},
    {Call::make_cgroup, EACCES, kNotDelegated},
    {Call::migrate, EPERM, kNotDelegated},
    {Call::migrate, EACCES, kNotDelegated},
    {Call::make_cgroup, EAGAIN, kFewCgroups},
    {Call::read_mountinfo, ENODATA, "it tells of no mount"},
    {Call::statmount, ENODATA, "it tells of other mounts than /proc/self/mountinfo"},
    {Call::sampler, EPROTO,
     "its answer is none of a sampler's, such as a time of 104 days; a new one went on with the others"},
    {Call::keep, EINVAL, "which capabilities it may keep is not said as a hexadecimal number"},
    {Call::set_rss, ENOMEM,
     "there is not so much memory: less, or a higher memory.max of the cgroup or ulimit -v"},
    {Call::mount_tmpfs, ENOENT,
     "the folder /tmp, on which it is mounted in a namespace of its own, is missing: mkdir /tmp"},
    {Call::set_mounts, EPERM, kNoUserNamespace},
    {Call::set_peers, EPERM, kNoUserNamespace},
    {Call::set_netns, EPERM, kNoUserNamespace},
    {Call::set_dying, EPERM, kNoUserNamespace},
    {Call::set_pidns, EPERM, kNoUserNamespace},
    {Call::set_depth, EPERM, kNoUserNamespace},
});

std::string_view limit_of_call(const protocol::Failure& failure) {
    const auto* const found = std::ranges::find_if(kLimitsOfCalls, [&](const LimitOfCall& one) {
        return one.call == failure.call && one.error == failure.error;
    });
    return found == kLimitsOfCalls.end() ? "" : found->words;
}

/// What forbids a call to who has the capabilities for it, apart from filters and the like.
std::string_view beside_capabilities(const protocol::Failure& failure, KindSet set,
                                     std::optional<Capabilities> held) {
    if ((needed(failure.call, set) & ~held.value_or(0)) != 0) return "";
    constexpr std::array kMaking{Call::clone, Call::clone3, Call::unshare};
    if (set.contains(Kind::user) && std::ranges::find(kMaking, failure.call) != kMaking.end())
        return failure.error == EPERM ? kOrChroot : "";
    // verify_root_map() there: parent_could_setfcap
    if (failure.call == Call::write_uid_map)
        return ", or who made the user namespace lacked CAP_SETFCAP, to map root's id";
    return "";
}

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

bool is_of_condition(protocol::Call call) {
    constexpr auto kOfConditions = std::to_array<protocol::Call>({
#define NSB_CONDITION(identifier, ...) protocol::Call::set_##identifier,
#include "core/conditions.def"
#undef NSB_CONDITION
    });
    return std::ranges::find(kOfConditions, call) != kOfConditions.end();
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
        if (const std::string_view words = limit_of_call(failure); !words.empty()) return std::string(words);
        switch (failure.error) {
            case EPERM:
            case EACCES:
                if (failure.call == protocol::Call::fsopen && set.contains(Kind::user))
                    return "inside a new user namespace the mount namespace around it is another one's";
                return fmt::format("not permitted: {}{}", why_not_permitted(needed(failure.call, set), held),
                                   beside_capabilities(failure, set, held));
            case ENOSYS:
                return "no such system call: the kernel or a seccomp filter does not have it";
            case ESRCH:
                return is_about(About::process, failure.call) ? kForeignProc : "";
            case EINVAL:
                if (failure.call == protocol::Call::pivot_root)
                    return "the root is no mount that can be left, as in a chroot";
                if (failure.call == protocol::Call::mount_private) return std::string(kNoMountPoint);
                return "this kernel does not take these flags or options";
            case EOPNOTSUPP:
                if (failure.call == protocol::Call::workers)
                    return "samplers that share one mm have no conditions";
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
