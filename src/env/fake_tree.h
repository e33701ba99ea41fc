// A tree of files to read in place of the machine's own. For tests only.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include "env/files.h"

namespace nsb::env {

/// An empty directory of its own, removed with all that was put into it.
class FakeTree {
  public:
    FakeTree() {
        std::string path = (std::filesystem::temp_directory_path() / "nsbench-env-XXXXXX").string();
        if (::mkdtemp(path.data()) != nullptr) root_.prefix = path;
    }
    FakeTree(const FakeTree&) = delete;
    FakeTree& operator=(const FakeTree&) = delete;
    ~FakeTree() {
        std::error_code ignored;
        if (!root_.prefix.empty()) std::filesystem::remove_all(root_.prefix, ignored);
    }

    /// Makes or replaces a file; `path` is absolute inside the tree.
    FakeTree& file(std::string_view path, std::string_view text) {
        std::ofstream(place(path), std::ios::binary) << text;
        return *this;
    }
    FakeTree& link(std::string_view path, std::string_view target) {
        std::filesystem::create_symlink(target, place(path));
        return *this;
    }
    FakeTree& directory(std::string_view path) {
        std::filesystem::create_directories(place(path));
        return *this;
    }

    FakeTree& held(std::optional<Capabilities> capabilities) {
        root_.held = capabilities;
        return *this;
    }

    [[nodiscard]] const Root& root() const { return root_; }
    [[nodiscard]] bool made() const { return !root_.prefix.empty(); }

  private:
    [[nodiscard]] std::filesystem::path place(std::string_view path) const {
        std::filesystem::path full = root_.prefix + std::string(path);
        std::filesystem::create_directories(full.parent_path());
        return full;
    }

    Root root_{{}, std::nullopt};
};

/// A thread's files: its name, the CPUs that it may run on and the one that it ran on last, its flags (PF_*
/// of include/linux/sched.h), and when it started.
struct FakeThread {
    int process;
    int number;
    std::string_view name;
    std::string_view allowed;
    int cpu = 0;
    unsigned flags = 0;
    int started = 7;
};
inline void put_thread(FakeTree& tree, const FakeThread& one) {
    std::string stat = fmt::format("{} ({}) I 2 0 0 0 -1 {}", one.number, one.name, one.flags);
    for (int field = 10; field < 39; ++field) {  // proc_pid_stat(5)
        constexpr int kStartTime = 22;
        stat += fmt::format(" {}", field == kStartTime ? one.started : 0);
    }
    const std::string thread = fmt::format("/proc/{}/task/{}", one.process, one.number);
    tree.file(thread + "/stat", fmt::format("{} {} 0 0\n", stat, one.cpu))
        .file(thread + "/status", fmt::format("Name:\t{}\nCpus_allowed_list:\t{}\n", one.name, one.allowed));
}

/// A thread of the kernel's, or with other flags than PF_KTHREAD's somebody else's.
inline void kernel_thread(FakeTree& tree, int number, std::string_view name, std::string_view allowed,
                          int cpu, unsigned flags = 0x00200000) {
    tree.file(fmt::format("/proc/{}/comm", number), fmt::format("{}\n", name));
    put_thread(tree, {number, number, name, allowed, cpu, flags});
}

}  // namespace nsb::env
