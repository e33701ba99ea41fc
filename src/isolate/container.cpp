#include "isolate/container.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>

#include <array>
#include <climits>
#include <csignal>
#include <cstring>

#include "core/failure.h"
#include "sys/child.h"
#include "sys/file.h"
#include "sys/id_maps.h"
#include "sys/privilege.h"
#include "sys/proc.h"
#include "sys/process.h"

namespace nsb::isolate {
namespace {

/// Waits for the other side's word; false if that side is gone, or if its word cannot be read, which is said:
/// then nobody is waiting for an answer.
bool hear(const sys::Fd& from) {
    char word = 0;
    const auto got = sys::retried([&] { return read(from.get(), &word, 1); });
    if (got < 0)
        sys::try_write(STDERR_FILENO,
                       fmt::format("nsbench: {}\n", sys::SystemError("read", "a pipe", errno).what()));
    return got == 1;
}

/// EPIPE where the other side is gone.
sys::Result<ssize_t> tell(const sys::Fd& to) {
    return sys::checked(sys::retried([&] { return write(to.get(), "!", 1); }));
}

/// What the child says when it is prepared: which step failed, and how.
struct Prepared {
    const char* step = "";  ///< the same text in both processes, one of which is a copy of the other
    int error = 0;
};

Prepared take_steps(const Recipe& recipe) {
    if (recipe.set.contains(Kind::user) && recipe.ids == Ids::root && recipe.root_is) {
        // The kernel's idea of who this is stays the caller's until it takes the id that was mapped.
        if (setresgid(0, 0, 0) != 0) return {"setresgid(0)", errno};
        if (setresuid(0, 0, 0) != 0) return {"setresuid(0)", errno};
    }
    // After the ids: the kernel forgets it when they change (commit_creds).
    if (recipe.dies_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return {"prctl(PR_SET_PDEATHSIG)", errno};
    return {};
}

/// The child's steps before its own program: it returns with all of them taken, or never.
void prepare(const Recipe& recipe, const sys::Pipe& to_child, const sys::Pipe& to_parent) {
    if (!hear(to_child.read_end)) _exit(1);
    const Prepared prepared = take_steps(recipe);
    const auto report = [&] { return write(to_parent.write_end.get(), &prepared, sizeof prepared); };
    if (sys::retried(report) != sizeof prepared || prepared.error != 0) _exit(1);
    // The parent may have died before it was to be followed. If it answers, it had not.
    if (!hear(to_child.read_end)) _exit(1);
}

/// NotShown where the errno says that /proc does not have it; any other one is of the call itself.
[[noreturn]] void throw_of_proc(const std::string& what, int error) {
    if (error == ESRCH || error == ENOENT) throw NotShown(fmt::format("{}: {}", what, errno_name(error)));
    throw sys::SystemError(fmt::format("{}: {} ({})", what, std::strerror(error), errno_name(error)), error);
}

int run(const Container::Main& main) {
    try {
        return main();
    } catch (const std::exception& error) {
        sys::try_write(STDERR_FILENO, fmt::format("nsbench: {}\n", error.what()));
        return 1;
    }
}

}  // namespace

void map_ids(pid_t pid, const Recipe& recipe) {
    const bool is_root = recipe.ids == Ids::root;
    const unsigned uid = recipe.root_is.value_or(geteuid());
    const unsigned gid = recipe.root_is.value_or(getegid());
    for (const sys::IdMaps::Step& step : sys::IdMaps({is_root ? 0 : uid, uid}, {is_root ? 0 : gid, gid})) {
        const std::string path = path_in_proc(pid, step.file);
        const auto failure = sys::write_map(sys::Fd::own(open(path.c_str(), O_WRONLY | O_CLOEXEC)), step);
        if (failure.error == 0) continue;
        const bool is_open = failure.call == step.write;
        throw NotTaken(
            sys::SystemError(is_open ? protocol::name(step.write) : "open", path, failure.error).what(),
            failure.error);
    }
}

Container Container::start(const Recipe& recipe, const Main& main) {
    sys::Pipe to_child = sys::must(sys::Pipe::make(), "pipe2");
    sys::Pipe to_parent = sys::must(sys::Pipe::make(), "pipe2");
    const auto pid = sys::fork_into(recipe.set.flags());
    if (!pid) throw NotMade("clone3", to_string(recipe.set), pid.error());
    if (*pid == 0) {
        to_child.write_end.reset();
        to_parent.read_end.reset();
        prepare(recipe, to_child, to_parent);
        to_child.read_end.reset();
        to_parent.write_end.reset();
        _exit(run(main));
    }
    Container container(*pid);
    to_child.read_end.reset();
    to_parent.write_end.reset();
    if (recipe.set.contains(Kind::user) && recipe.ids != Ids::unmapped) map_ids(*pid, recipe);
    const auto let_go = [&] {
        const auto told = tell(to_child.write_end);
        if (!told && told.error() != EPIPE) throw sys::SystemError("write", "a pipe", told.error());
        return told.has_value();
    };
    Prepared prepared;
    const auto listen = [&] { return read(to_parent.read_end.get(), &prepared, sizeof prepared); };
    const bool is_prepared = let_go() && sys::retried(listen) == sizeof prepared;
    if (prepared.error != 0) {
        throw NotTaken(fmt::format("{}: {}", prepared.step, errno_name(prepared.error)), prepared.error);
    }
    if (!is_prepared || !let_go()) {
        throw sys::SystemError("clone3", "the first process of the namespaces ended at once", ECHILD);
    }
    return container;
}

std::optional<int> Container::end() {
    if (pid_ < 0) return std::nullopt;
    // Where a filter refuses that, there is no end to wait for before this process's own.
    if (kill(pid_, SIGKILL) != 0) return std::nullopt;
    const auto status = reap();
    return status ? std::optional(*status) : std::nullopt;
}

int Container::wait() {
    return sys::must(reap(), "wait4");
}

sys::Result<int> Container::reap() {
    return sys::reap(std::exchange(pid_, -1));
}

NotShown::NotShown(const std::string& call)
    : std::runtime_error(fmt::format("{}: {}", call, sys::what_ails_proc())) {}

std::string number_in_proc(pid_t pid) {
    const auto number = sys::number_in_proc(pid);
    if (number) return std::to_string(*number);
    throw_of_proc(fmt::format("process {} in /proc", pid), number.error());
}

std::string path_in_proc(std::optional<pid_t> pid, std::string_view name) {
    if (!pid && access("/proc/self/", F_OK) != 0) throw_of_proc("access(/proc/self)", errno);
    return fmt::format("/proc/{}/{}", pid ? number_in_proc(*pid) : "self", name);
}

std::string read_in_proc(std::optional<pid_t> pid, std::string_view name) {
    const std::string path = path_in_proc(pid, name);
    return sys::must(sys::read_file(path), "open", path);
}

std::string namespace_link(std::optional<pid_t> pid, Kind kind) {
    const std::string path = path_in_proc(pid, fmt::format("ns/{}", info(kind).name));
    std::array<char, PATH_MAX> link{};
    const ssize_t length = readlink(path.c_str(), link.data(), link.size());
    if (length < 0 && errno == ENOENT) {
        if (!pid || namespace_link({}, kind).empty()) return "";
        // This process has one: the other has ended.
        throw sys::SystemError("readlink", path, ENOENT);
    }
    sys::must(length, "readlink", path);
    return {link.data(), static_cast<std::size_t>(length)};
}

}  // namespace nsb::isolate
