// user: ids and capabilities.
#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <sstream>

#include "isolate/checks.h"
#include "sys/file.h"
#include "sys/privilege.h"

namespace nsb::isolate {
namespace {

std::string trimmed(const std::string& text) {
    std::istringstream words(text);
    std::string line;
    for (std::string word; words >> word;) line += (line.empty() ? "" : " ") + word;
    return line;
}

std::string must_read(const std::string& path) {
    const auto text = sys::read_file(path);
    if (!text && path.starts_with("/proc/"))
        (void)path_in_proc({}, "status");  // throws where there is no /proc
    return trimmed(sys::must(text, "open", path));
}

PeerAnswer own_ids(const std::string&) {
    return {0, fmt::format("uid {} gid {}", getuid(), getgid())};
}

PeerAnswer become_root(const std::string&) {
    if (setresgid(0, 0, 0) != 0) return PeerAnswer::failed("setresgid");
    if (setresuid(0, 0, 0) != 0) return PeerAnswer::failed("setresuid");
    return {};
}

PeerAnswer own_map(const std::string&) {
    return {0, trimmed(read_in_proc({}, "uid_map"))};
}

/// The effective capabilities, as a mask.
PeerAnswer own_capabilities(const std::string&) {
    const auto held = sys::held_capabilities();
    if (!held) return PeerAnswer::failed("capget");
    return {0, fmt::format("{:x}", *held)};
}

/// Whether the machine may be renamed, without doing so: a name that is too long is refused by EINVAL to who
/// might set a shorter one, and by EPERM to others (sethostname() in kernel/sys.c asks in this order).
PeerAnswer may_rename_machine(const std::string&) {
    const std::string too_long(_UTSNAME_LENGTH, 'x');
    if (sethostname(too_long.data(), too_long.size()) != 0 && errno != EINVAL) {
        return PeerAnswer::failed("sethostname");
    }
    return {0, "sethostname: permitted"};
}

PeerAnswer leave_uts(const std::string&) {
    if (unshare(CLONE_NEWUTS) != 0) return PeerAnswer::failed("unshare");
    return {};
}

/// The real, effective, saved and file system user id of a process, as this side reads them.
std::string ids_in_status(pid_t pid) {
    const std::string text = read_in_proc(pid, "status");
    const std::size_t at = text.find("\nUid:");
    const std::size_t end = text.find('\n', at + 1);
    return trimmed(text.substr(at + 5, end - at - 5));
}

}  // namespace

Verdict check_overflow_ids(CheckContext& context) {
    Recipe recipe = context.recipe(Kind::user);
    recipe.ids = Ids::unmapped;
    Peer inside(recipe);
    const std::string expected = fmt::format("uid {} gid {}", must_read("/proc/sys/kernel/overflowuid"),
                                             must_read("/proc/sys/kernel/overflowgid"));
    const std::string seen = inside.must(own_ids);
    // Whoever is nobody outside sees no other ids, but still a map without a line.
    const std::string map = inside.must(own_map);
    return judge(seen == expected && map.empty(),
                 fmt::format("{}, uid_map {}", seen, map.empty() ? "is empty" : map),
                 context.outside.must(own_ids));
}

Verdict check_root_inside(CheckContext& context) {
    Recipe recipe = context.recipe(Kind::user);
    recipe.ids = Ids::unmapped;
    const std::string own = namespace_link({}, Kind::user);
    if (const Peer first(recipe); namespace_link(first.pid(), Kind::user) == own) {
        // Whose maps are not to be written, and whose writing would be refused.
        return judge(false, fmt::format("in {}", own), fmt::format("in {}", own));
    }
    recipe.ids = Ids::root;
    std::optional<unsigned> root_is;
    const auto make = [&] {
        Recipe unmapped = recipe;
        unmapped.ids = Ids::unmapped;
        Peer peer(unmapped);
        recipe.root_is = root_is;
        map_ids(peer.pid(), recipe);
        return peer;
    };
    // Root may choose who is root inside: nobody.
    if (geteuid() == 0)
        root_is = static_cast<unsigned>(std::stoul(must_read("/proc/sys/kernel/overflowuid")));
    const auto make_either = [&] {
        try {
            return make();
        } catch (const NotTaken&) {
            if (!root_is) throw;
            root_is.reset();  // a root without CAP_SETUID or CAP_SETGID
            return make();
        }
    };
    Peer inside = make_either();
    inside.must(become_root);
    const unsigned user = root_is.value_or(geteuid());
    const std::string seen_inside = inside.must(own_ids);
    const std::string seen_outside = ids_in_status(inside.pid());
    return judge(seen_inside == "uid 0 gid 0" && seen_outside == fmt::format("{0} {0} {0} {0}", user),
                 fmt::format("{}, uid_map {}", seen_inside, inside.must(own_map)),
                 fmt::format("uids {}", seen_outside));
}

Verdict check_capabilities(CheckContext& context) {
    Peer inside(context.recipe(Kind::user));
    const std::string mask = inside.must(own_capabilities);
    const PeerAnswer of_outside = inside.ask(may_rename_machine, "", {EPERM});
    inside.must(leave_uts);
    // So that the EPERM outside is known not to be a filter's.
    const PeerAnswer of_inside = inside.ask(may_rename_machine);
    return judge(mask != "0" && of_outside.error == EPERM,
                 fmt::format("capabilities {}; in a uts namespace of its own {}", mask, of_inside.seen()),
                 fmt::format("in the outside's {}", of_outside.seen()));
}

}  // namespace nsb::isolate
