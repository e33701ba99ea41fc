#include "env/settings.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "core/text.h"
#include "env/cpu_list.h"
#include "env/settings_table.h"
#include "env/thread.h"
#include "sys/file.h"

namespace nsb::env {
namespace {

/// A process that was killed leaves its cgroup a little later (EBUSY until then).
constexpr int kAttempts = 200;
constexpr useconds_t kBetween = 10'000;

constexpr auto kSettings = std::to_array<Setting>({
#define NSB_SETTING(id, function, extent, why) {#id, detail::function, extent, why},
#include "env/settings.def"
#undef NSB_SETTING
});

/// In one write(2), as such files want it, and with the line's end: a regular file that stands for one in a
/// test has the old line or the new one then, at any moment.
sys::Result<int> write_text(const std::string& path, std::string_view text) {
    const std::string line = fmt::format("{}\n", text);
    const auto file = sys::Fd::own(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file) return tl::unexpected(file.error());
    const ssize_t written = sys::retried([&] { return write(file->get(), line.data(), line.size()); });
    if (written < 0) return tl::unexpected(errno);
    return 0;
}

std::string last_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

/// Moves every process of a cgroup to another one; what is born meanwhile is found the next time.
void move_all(const std::string& from, const std::string& to) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const std::vector<std::string> members = words(sys::read_file(from).value_or(""));
        if (members.empty()) return;
        for (const std::string& member : members) (void)write_text(to, member);
    }
}

sys::Result<int> remove_folder(const Root& root, const Change& change) {
    const std::string path = root.prefix + change.path;
    if (!change.home.empty()) move_all(path + '/' + last_name(change.home), root.prefix + change.home);
    for (int left = kAttempts;; --left) {
        if (rmdir(path.c_str()) == 0) return 0;
        if (errno != EBUSY || left == 0) return tl::unexpected(errno);
        usleep(kBetween);
    }
}

/// Moves the threads of `home` into the file of the new cgroup, again and again, since they have children.
sys::Result<int> take_tenants(const Root& root, const Change& change) {
    const std::string own = std::to_string(getpid());
    const CpuSet online = detail::online(root);
    bool found = true;
    for (int attempt = 0; found && attempt < kAttempts; ++attempt) {
        found = false;
        const auto threads = sys::read_file(root.prefix + change.home);
        if (!threads) return tl::unexpected(threads.error());
        for (const std::string& thread : words(*threads)) {
            if (thread == own || detail::is_of_kernel(root, "/proc/" + thread)) continue;
            const auto cpus = parse_cpus(detail::affinity_of(root, "/proc/" + thread).value_or(""));
            if (!cpus || !without(online, *cpus).empty()) continue;
            found = write_text(root.prefix + change.path, thread).has_value() || found;
        }
    }
    return 0;
}

/// ESRCH where it has ended, or its number is another thread's by now.
sys::Result<int> has_thread(const Root& root, const Change& change) {
    const auto started = detail::start_of(root, change.path);
    if (!started) return tl::unexpected(started.error());
    if (*started != change.started) return tl::unexpected(ESRCH);
    return 0;
}

sys::Result<int> set_affinity(const Root& root, const Change& change, std::string_view state) {
    const std::string name = last_name(change.path);
    pid_t thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    const auto cpus = parse_cpus(state);
    if (!cpus || cpus->empty() || thread <= 0) return tl::unexpected(EINVAL);
    const int most = *cpus->rbegin() + 1;
    cpu_set_t* const set = CPU_ALLOC(static_cast<std::size_t>(most));
    if (set == nullptr) return tl::unexpected(ENOMEM);
    const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(most));
    CPU_ZERO_S(size, set);
    for (const int cpu : *cpus) CPU_SET_S(static_cast<std::size_t>(cpu), size, set);
    // Right before: the call takes the number, whosever it is.
    auto done = has_thread(root, change);
    if (done) done = sys::checked(sched_setaffinity(thread, size, set));
    CPU_FREE(set);
    return done;
}

}  // namespace

std::span<const Setting> settings() {
    return kSettings;
}

sys::Result<std::string> state_of(const Root& root, const Change& change) {
    const std::string path = root.prefix + change.path;
    if (change.form == Form::folder) {
        struct stat status {};
        if (stat(path.c_str(), &status) == 0) return change.wanted.front();
        if (errno != ENOENT) return tl::unexpected(errno);
        return "";
    }
    const auto text = sys::read_file(change.form == Form::affinity ? path + "/status" : path);
    if (!text) return tl::unexpected(text.error());
    const std::vector<std::string> parts = words(*text);
    switch (change.form) {
        case Form::marked:
            return marked(*text).value_or("");
        case Form::word:
            return std::ranges::count(parts, change.wanted.front()) > 0 ? change.wanted.front() : "";
        case Form::tenants:
            return parts.empty() ? "" : change.wanted.front();
        case Form::affinity:
            if (const auto known = has_thread(root, change); !known) return tl::unexpected(known.error());
            return field(*text, "Cpus_allowed_list").value_or("");
        case Form::line:
        case Form::folder:
            break;
    }
    return first_line(root, change.path).value_or("");
}

sys::Result<int> write_state(const Root& root, const Change& change, std::string_view state) {
    const std::string path = root.prefix + change.path;
    switch (change.form) {
        case Form::folder:
            return state.empty() ? remove_folder(root, change) : sys::checked(mkdir(path.c_str(), 0755));
        case Form::word:
            return write_text(path, state.empty() ? "-" + change.wanted.front() : fmt::format("+{}", state));
        case Form::tenants:
            return take_tenants(root, change);
        case Form::affinity:
            return set_affinity(root, change, state);
        case Form::line:
        case Form::marked:
            break;
    }
    return write_text(path, state);
}

}  // namespace nsb::env
