#include "isolate/container.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>

#include <array>
#include <climits>
#include <csignal>

#include "sys/child.h"
#include "sys/file.h"
#include "sys/process.h"

namespace nsb::isolate {
namespace {

/// Waits for the other side's word; false if that side is gone.
bool hear(const sys::Fd& from) {
    char word = 0;
    for (;;) {
        const ssize_t got = read(from.get(), &word, 1);
        if (got < 0 && errno == EINTR) continue;
        return got == 1;
    }
}

/// EPIPE where the other side is gone.
sys::Result<ssize_t> tell(const sys::Fd& to) {
    for (;;) {
        const auto wrote = sys::checked(write(to.get(), "!", 1));
        if (wrote || wrote.error() != EINTR) return wrote;
    }
}

void write_map(pid_t pid, const char* name, const std::string& text) {
    const std::string path = fmt::format("/proc/{}/{}", pid, name);
    const sys::Fd file(static_cast<int>(sys::must(open(path.c_str(), O_WRONLY | O_CLOEXEC), "open", path)));
    sys::must(write(file.get(), text.data(), text.size()), fmt::format("write({})", name), path);
}

/// The child's steps before its own program: 0, or never.
void prepare(const Recipe& recipe, const sys::Pipe& to_child, const sys::Pipe& to_parent) {
    if (!hear(to_child.read_end)) _exit(1);
    if (recipe.set.contains(Kind::user) && recipe.ids == Ids::root && recipe.root_is) {
        // The kernel's idea of who this is stays the caller's until it takes the id that was mapped.
        if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) _exit(1);
    }
    // After the ids: the kernel forgets it when they change (commit_creds).
    if (recipe.dies_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) _exit(1);
    // The parent may have died before that. If it answers, it had not.
    if (!tell(to_parent.write_end)) _exit(1);
    if (!hear(to_child.read_end)) _exit(1);
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
    // Without the deny an ordinary user may write no gid_map (user_namespaces(7)).
    write_map(pid, "setgroups", "deny");
    write_map(pid, "uid_map", fmt::format("{} {} 1", is_root ? 0 : uid, uid));
    write_map(pid, "gid_map", fmt::format("{} {} 1", is_root ? 0 : gid, gid));
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
    if (!let_go() || !hear(to_parent.read_end) || !let_go()) {
        throw sys::SystemError("setresuid", "the first process of the namespaces ended at once", ECHILD);
    }
    return container;
}

std::optional<int> Container::end() {
    if (pid_ < 0) return std::nullopt;
    kill(pid_, SIGKILL);
    const auto status = reap();
    return status ? std::optional(*status) : std::nullopt;
}

int Container::wait() {
    return sys::must(reap(), "wait4");
}

sys::Result<int> Container::reap() {
    return sys::reap(std::exchange(pid_, -1));
}

std::string namespace_link(const std::string& pid, Kind kind) {
    const std::string path = fmt::format("/proc/{}/ns/{}", pid, info(kind).name);
    std::array<char, PATH_MAX> link{};
    const ssize_t length = readlink(path.c_str(), link.data(), link.size());
    if (length < 0 && errno == ENOENT) return "";
    sys::must(length, "readlink", path);
    return {link.data(), static_cast<std::size_t>(length)};
}

}  // namespace nsb::isolate
