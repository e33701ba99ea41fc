// A tree of files to read in place of the machine's own. For tests only.
#pragma once

#include <stdlib.h>  // mkdtemp

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

}  // namespace nsb::env
