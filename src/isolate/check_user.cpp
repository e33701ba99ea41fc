// user: ids and capabilities.
#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <sstream>

#include "isolate/checks.h"
#include "sys/file.h"

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
    if (!text) throw sys::SystemError("open", path, text.error());
    return trimmed(*text);
}

Answer own_ids(const std::string&) {
    return {0, fmt::format("uid {} gid {}", getuid(), getgid())};
}

Answer become_root(const std::string&) {
    if (setresgid(0, 0, 0) != 0) return Answer::failed("setresgid");
    if (setresuid(0, 0, 0) != 0) return Answer::failed("setresuid");
    return {};
}

Answer own_map(const std::string&) {
    return {0, must_read("/proc/self/uid_map")};
}

/// The effective capabilities, as a mask.
Answer own_capabilities(const std::string&) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> data{};
    if (syscall(SYS_capget, &header, data.data()) != 0) return Answer::failed("capget");
    return {0, fmt::format("{:x}", std::uint64_t{data[1].effective} << 32U | data[0].effective)};
}

/// Renames the machine to what it is called already.
Answer rename_machine(const std::string&) {
    utsname names{};
    uname(&names);
    if (sethostname(names.nodename, std::string_view(names.nodename).size()) != 0) {
        return Answer::failed("sethostname");
    }
    return {0, "sethostname: done"};
}

Answer leave_uts(const std::string&) {
    if (unshare(CLONE_NEWUTS) != 0) return Answer::failed("unshare");
    return {};
}

/// The real, effective, saved and file system user id of a process, as this side reads them.
std::string ids_in_status(pid_t pid) {
    const std::string path = fmt::format("/proc/{}/status", pid);
    const auto text = sys::read_file(path);
    if (!text) throw sys::SystemError("open", path, text.error());
    const std::size_t at = text->find("\nUid:");
    const std::size_t end = text->find('\n', at + 1);
    return trimmed(text->substr(at + 5, end - at - 5));
}

}  // namespace

Verdict check_overflow_ids(Stage& stage) {
    Recipe recipe = stage.recipe(Kind::user);
    recipe.ids = Ids::unmapped;
    Peer inside(recipe);
    const std::string expected = fmt::format("uid {} gid {}", must_read("/proc/sys/kernel/overflowuid"),
                                             must_read("/proc/sys/kernel/overflowgid"));
    const std::string seen = inside.must(own_ids);
    // Whoever is nobody outside sees no other ids, but still a map without a line.
    const std::string map = inside.must(own_map);
    return judge(seen == expected && map.empty(),
                 fmt::format("{}, uid_map {}", seen, map.empty() ? "is empty" : map),
                 stage.outside.must(own_ids));
}

Verdict check_root_inside(Stage& stage) {
    Recipe recipe = stage.recipe(Kind::user);
    recipe.ids = Ids::unmapped;
    Peer inside(recipe);
    recipe.ids = Ids::root;
    // Root may choose who is root inside: nobody.
    if (geteuid() == 0)
        recipe.root_is = static_cast<unsigned>(std::stoul(must_read("/proc/sys/kernel/overflowuid")));
    try {
        map_ids(inside.pid(), recipe);
    } catch (const sys::SystemError&) {
        if (!recipe.root_is) throw;
        recipe.root_is.reset();  // a root without CAP_SETUID
        map_ids(inside.pid(), recipe);
    }
    inside.must(become_root);
    const unsigned user = recipe.root_is.value_or(geteuid());
    const std::string seen_inside = inside.must(own_ids);
    const std::string seen_outside = ids_in_status(inside.pid());
    return judge(seen_inside == "uid 0 gid 0" && seen_outside == fmt::format("{0} {0} {0} {0}", user),
                 fmt::format("{}, uid_map {}", seen_inside, inside.must(own_map)),
                 fmt::format("uids {}", seen_outside));
}

Verdict check_capabilities(Stage& stage) {
    Peer inside(stage.recipe(Kind::user));
    const std::string mask = inside.must(own_capabilities);
    const Answer of_outside = inside.ask(rename_machine);
    inside.must(leave_uts);
    const Answer of_inside = inside.ask(rename_machine);
    return judge(mask != "0" && of_outside.error == EPERM && of_inside.error == 0,
                 fmt::format("capabilities {}; in a uts namespace of its own {}", mask, of_inside.seen()),
                 fmt::format("in the outside's {}", of_outside.seen()));
}

}  // namespace nsb::isolate
