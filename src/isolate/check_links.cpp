// The links in /proc/PID/ns: which namespace a process is in, shared by its container, and kept beyond its
// end.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <sstream>

#include "core/failure.h"
#include "isolate/checks.h"
#include "isolate/inside.h"
#include "sys/child.h"
#include "sys/process.h"

namespace nsb::isolate {
namespace {

using Links = std::array<std::string, kKinds.size()>;

Links links_of(std::optional<pid_t> pid) {
    Links links;
    for (const KindInfo& kind : kKinds)
        links[static_cast<std::size_t>(kind.kind)] = namespace_link(pid, kind.kind);
    return links;
}

KindSet different(const Links& a, const Links& b) {
    KindSet set;
    for (const KindInfo& kind : kKinds) {
        const auto i = static_cast<std::size_t>(kind.kind);
        if (a[i] != b[i]) set = set | kind.kind;
    }
    return set;
}

/// By name: "ipc,net".
std::string names(KindSet set) {
    std::string text;
    for (const KindInfo& kind : kKinds) {
        if (set.contains(kind.kind)) text += fmt::format("{}{}", text.empty() ? "" : ",", kind.name);
    }
    return text.empty() ? "none" : text;
}

/// A further process in the same container: which of its links are not those of the first.
PeerAnswer strangers(const std::string&) {
    const Links first = links_of({});
    sys::Pipe answer = sys::must(sys::Pipe::make(), "pipe2");
    const auto member = sys::plain_fork();
    if (!member) return PeerAnswer::failed("fork");
    if (*member == 0) {
        const std::uint8_t bits = different(first, links_of({})).bits();
        _exit(sys::retried([&] { return write(answer.write_end.get(), &bits, 1); }) == 1 ? 0 : 1);
    }
    answer.write_end.reset();
    (void)sys::reap(*member);
    std::uint8_t bits = 0;
    const auto got = sys::retried([&] { return read(answer.read_end.get(), &bits, 1); });
    if (got != 1) return PeerAnswer::nothing(got, "read");
    return {0, std::to_string(bits)};
}

/// Not entered, though no call failed.
constexpr int kNotEntered = ECHILD;

/// In a process of its own: enters a namespace whose processes are gone. 0, kNotEntered, or the errno of a
/// call that was refused.
int enter(const KindInfo& kind, const sys::Fd& file, const std::string& link) {
    if (setns(file.get(), static_cast<int>(kind.bit)) != 0) return errno;
    if (kind.kind == Kind::pid) {
        // It is for children, and has none any more: its process 1 is dead (pid_namespaces(7)).
        const auto child = sys::plain_fork();
        if (child && *child == 0) _exit(0);
        if (child) (void)sys::reap(*child);
        if (child) return kNotEntered;
        return child.error() == ENOMEM ? 0 : child.error();
    }
    // A time namespace is entered by setns at once.
    return namespace_link({}, kind.kind) == link ? 0 : kNotEntered;
}

sys::Fd open_namespace(const std::string& path) {
    return sys::Fd(static_cast<int>(sys::must(open(path.c_str(), O_RDONLY | O_CLOEXEC), "open", path)));
}

/// A mount namespace can be bound only in one that is older, which 6.18 tells by numbers that it deals out to
/// CPUs in batches (mnt_ns_loop, ns_tree_gen_id): both are made on the same one.
void leave_mounts() {
    sys::must(sys::restrict_to(0, {sched_getcpu()}) ? 0 : -1, "sched_setaffinity");
    sys::must(unshare(CLONE_NEWNS), "unshare", "NEWNS");
    make_own_mounts();
}

/// `argument`: the set to make, the set that must be entered, and whether to keep it by a bind mount, as
/// numbers. Gives the kinds that could be entered.
PeerAnswer keep(const std::string& argument) {
    int made = 0;
    int wanted = 0;
    int is_bound = 0;
    std::istringstream(argument) >> made >> wanted >> is_bound;
    constexpr const char* kPlace = "/dev";
    leave_mounts();
    sys::must(mount("nsbench", kPlace, "tmpfs", 0, "size=64k"), "mount", kPlace);
    Recipe recipe;
    recipe.set = KindSet(static_cast<std::uint8_t>(made));
    Container container = Container::start(recipe, [] { return pause(); });
    const Links links = links_of(container.pid());
    // A namespace that is this process's own is none to enter: some refuse that, and some to be bound
    // (EINVAL).
    const KindSet new_ones = different(links, links_of({}));
    std::array<sys::Fd, kKinds.size()> open_files;
    for (const KindInfo& kind : kKinds) {
        if (!KindSet(static_cast<std::uint8_t>(wanted)).contains(kind.kind)) continue;
        if (!new_ones.contains(kind.kind)) continue;
        const std::string source = path_in_proc(container.pid(), fmt::format("ns/{}", kind.name));
        if (is_bound == 0) {
            open_files[static_cast<std::size_t>(kind.kind)] = open_namespace(source);
            continue;
        }
        const std::string target = fmt::format("{}/{}", kPlace, kind.name);
        (void)sys::Fd(static_cast<int>(sys::must(creat(target.c_str(), 0600), "creat", target)));
        sys::must(mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr), "mount", source);
    }
    if (!container.end()) return PeerAnswer::failed("kill");
    KindSet entered;
    std::string missing;
    int refused = 0;  // the errno; 0 where nothing was refused, or something is known to be missing
    bool is_known = false;
    for (const KindInfo& kind : kKinds) {
        if (!KindSet(static_cast<std::uint8_t>(wanted)).contains(kind.kind)) continue;
        int code = kNotEntered;
        if (new_ones.contains(kind.kind)) {
            sys::Fd& file = open_files[static_cast<std::size_t>(kind.kind)];
            if (is_bound != 0) file = open_namespace(fmt::format("{}/{}", kPlace, kind.name));
            const auto child = sys::plain_fork();
            if (!child) return PeerAnswer::failed("fork");
            if (*child == 0) _exit(enter(kind, file, links[static_cast<std::size_t>(kind.kind)]));
            code = exit_code(sys::must(sys::reap(*child), "wait4"));
        }
        if (code == 0) {
            entered = entered | kind.kind;
            continue;
        }
        const bool is_missing = code == kNotEntered;
        missing += fmt::format("; {}: {}", kind.name,
                               is_missing ? "not entered" : fmt::format("setns: {}", errno_name(code)));
        is_known = is_known || is_missing;
        if (!is_missing) refused = code;
    }
    return {is_known ? 0 : refused, fmt::format("{} entered{}", names(entered), missing)};
}

Verdict check_kept(CheckContext& context, bool is_bound) {
    const KindSet wanted = context.asked;
    // A set that cannot be made at all is found out here, where that means skipped.
    (void)Container::start(context.recipe(wanted), [] { return 0; });
    Peer keeper(context.recipe(KindSet{}));
    const std::string seen = keeper.must(
        keep, fmt::format("{} {} {}", (wanted - context.left_out).bits(), wanted.bits(), is_bound ? 1 : 0));
    return judge(seen == fmt::format("{} entered", names(wanted)), "its processes are gone", seen);
}

}  // namespace

Verdict check_links_differ(CheckContext& context) {
    Peer inside(context.recipe(context.asked));
    const KindSet found = different(links_of(inside.pid()), links_of(context.outside.pid()));
    return judge(found == context.asked, fmt::format("other: {}", names(found)),
                 fmt::format("the same: {}", names(KindSet::all() - found)));
}

Verdict check_links_shared(CheckContext& context) {
    Peer inside(context.recipe(context.asked));
    const KindSet strange(static_cast<std::uint8_t>(std::stoi(inside.must(strangers))));
    const KindSet found = different(links_of(inside.pid()), links_of(context.outside.pid()));
    return judge(strange.empty() && found == context.asked,
                 fmt::format("not the first process's: {}", names(strange)),
                 fmt::format("not the outside's: {}", names(found)));
}

Verdict check_kept_open(CheckContext& context) {
    return check_kept(context, false);
}

Verdict check_kept_bound(CheckContext& context) {
    return check_kept(context, true);
}

}  // namespace nsb::isolate
