// cgroup: from where paths are counted. A process in the root cgroup sees no difference, so one is made if
// need be.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>

#include "isolate/checks.h"
#include "sys/cgroup.h"

namespace nsb::isolate {
namespace {

/// All paths of /proc/PID/cgroup, one for each hierarchy, without repetition: "/" or "/ /system.slice".
std::string paths(std::optional<pid_t> pid) {
    std::istringstream lines(read_in_proc(pid, "cgroup"));
    std::string all;
    for (std::string line; std::getline(lines, line);) {
        const std::string path = line.substr(line.find(':', line.find(':') + 1) + 1);
        if ((" " + all + " ").find(" " + path + " ") != std::string::npos) continue;
        all += (all.empty() ? "" : " ") + path;
    }
    return all;
}

PeerAnswer paths_of(const std::string& pid) {
    return {0, paths(std::stoi(pid))};
}

PeerAnswer own_paths(const std::string&) {
    return {0, paths({})};
}

PeerAnswer leave_cgroups(const std::string&) {
    if (unshare(CLONE_NEWCGROUP) != 0) return PeerAnswer::failed("unshare");
    return {};
}

/// Puts a process into a new cgroup of its own.
PeerAnswer give_cgroup(const std::string& pid) {
    auto hierarchy = sys::open_cgroup2();
    if (!hierarchy) {
        errno = hierarchy.error().error;
        return PeerAnswer::failed(protocol::name(hierarchy.error().call));
    }
    static const sys::Fd root = std::move(*hierarchy);
    const std::string name = fmt::format("nsbench-{}", pid);
    if (mkdirat(root.get(), name.c_str(), 0755) != 0) return PeerAnswer::failed("mkdir");
    at_end([name] {
        // Its process is being killed: gone within moments.
        for (int tries = 0;
             unlinkat(root.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT && tries < 1000;
             ++tries) {
            usleep(1000);
        }
    });
    const sys::Fd file(openat(root.get(), (name + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!file) return PeerAnswer::failed("open(cgroup.procs)");
    const auto wrote = sys::retried([&] { return write(file.get(), pid.data(), pid.size()); });
    if (wrote < 0) return PeerAnswer::failed("write(cgroup.procs)");
    return {0, name};
}

}  // namespace

PeerAnswer leave_root_cgroup(Peer& outside, pid_t pid) {
    const std::string number = std::to_string(pid);
    try {
        if (outside.must(paths_of, number) != "/") return {};
        return outside.ask(give_cgroup, number);
    } catch (const WentWrong& error) {
        return {error.error(), error.what()};
    }
}

Verdict check_cgroup_root(CheckContext& context) {
    // The process has to be where it belongs before its namespace is made: so not by clone3, but by unshare.
    Peer inside(context.recipe(KindSet{}));
    const std::string pid = std::to_string(inside.pid());
    const PeerAnswer given = leave_root_cgroup(context.outside, inside.pid());
    if (given.error != 0)
        return skip(fmt::format("its cgroup is / already, and no other can be made: {}", given.text));
    const std::string before = context.outside.must(paths_of, pid);
    if (!context.left_out.contains(Kind::cgroup)) inside.must(leave_cgroups);
    const std::string seen_inside = inside.must(own_paths);
    const std::string seen_outside = context.outside.must(paths_of, pid);
    return judge(seen_inside == "/" && seen_outside == before && before != "/", seen_inside, seen_outside);
}

}  // namespace nsb::isolate
