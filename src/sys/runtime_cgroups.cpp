#include "sys/runtime_cgroups.h"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sys/cgroup.h"
#include "sys/fd.h"

namespace nsb::sys {
namespace {

std::size_t read_text(const char* path, char* text, std::size_t size) {
    const auto file = Fd::own(open(path, O_RDONLY | O_CLOEXEC));
    std::size_t length = 0;
    while (file && length < size - 1) {
        const ssize_t got = retried([&] { return read(file->get(), text + length, size - 1 - length); });
        if (got <= 0) break;
        length += static_cast<std::size_t>(got);
    }
    text[length] = '\0';
    return length;
}

}  // namespace

void RuntimeCgroups::note(const char* hierarchy, const char* own, const char* name) {
    char* const path = paths_[count_ % kMost];
    const int length = std::snprintf(path, sizeof paths_[0], "/sys/fs/cgroup%s%s/%s", hierarchy, own, name);
    // One that was there before is somebody's.
    if (count_ < kMost && length < static_cast<int>(sizeof paths_[0]) && access(path, F_OK) != 0) ++count_;
}

RuntimeCgroups::RuntimeCgroups(pid_t watcher) {
    // A line for each hierarchy: "NUMBER:CONTROLLERS:OWN CGROUP"; version 2's has no controllers
    // (cgroups(7)).
    char text[4096];
    read_text("/proc/self/cgroup", text, sizeof text);
    char container[32];
    std::snprintf(container, sizeof container, "nsbench-%d", watcher);
    char* rest = nullptr;
    for (char* line = strtok_r(text, "\n", &rest); line != nullptr; line = strtok_r(nullptr, "\n", &rest)) {
        char* const controllers = std::strchr(line, ':');
        char* const colon = controllers != nullptr ? std::strchr(controllers + 1, ':') : nullptr;
        if (colon == nullptr) continue;
        *colon = '\0';
        const char* own = colon + 1;
        if (std::strcmp(own, "/") == 0) own = "";
        const char* name = controllers + 1;
        if (const char* const named = std::strchr(name, '='); named != nullptr) name = named + 1;
        char version_1[64];
        std::snprintf(version_1, sizeof version_1, "/%s", name);
        // Version 2 is mounted alone, or beside version 1.
        const char* const version_2[] = {"", "/unified"};
        const bool is_second = *name == '\0';
        for (std::size_t i = 0; i < (is_second ? 2 : 1); ++i) {
            const char* const hierarchy = is_second ? version_2[i] : version_1;
            // By config.json's cgroupsPath; then what systemd-nspawn makes in its own cgroup.
            note(hierarchy, "", container);
            note(hierarchy, own, "payload");
            note(hierarchy, own, "supervisor");
        }
    }
}

RuntimeCgroups::~RuntimeCgroups() {
    CgroupRemoval removal;
    for (std::size_t i = 0; i < count_; ++i) (void)removal.remove(paths_[i]);
}

}  // namespace nsb::sys
