// For tests: a folder that goes with the test, and other users.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace nsb::sys {

inline constexpr uid_t kNobody = 65534;
inline constexpr uid_t kAnother = 65533;

class FolderTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "nsbench-test-XXXXXX").native();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    static void put(const std::filesystem::path& path, std::string_view text) { std::ofstream(path) << text; }
    static std::string text_of(const std::filesystem::path& path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    /// A folder in this one with that mode and owner.
    std::filesystem::path make(const char* name, mode_t mode, uid_t owner = geteuid()) {
        std::filesystem::path path = folder_ / name;
        std::filesystem::create_directory(path);
        EXPECT_EQ(chmod(path.c_str(), mode), 0);
        EXPECT_EQ(lchown(path.c_str(), owner, static_cast<gid_t>(-1)), 0);
        return path;
    }
    static void link_of(uid_t owner, const std::filesystem::path& target, const std::filesystem::path& link) {
        std::filesystem::create_symlink(target, link);
        EXPECT_EQ(lchown(link.c_str(), owner, static_cast<gid_t>(-1)), 0);
    }

    std::filesystem::path folder_;
};

/// This process as an ordinary user, for as long as it lives.
class AsUser {
  public:
    explicit AsUser(uid_t user) {
        EXPECT_EQ(setegid(user), 0);
        EXPECT_EQ(seteuid(user), 0);
    }
    AsUser(const AsUser&) = delete;
    AsUser& operator=(const AsUser&) = delete;
    ~AsUser() {
        EXPECT_EQ(seteuid(0), 0);
        EXPECT_EQ(setegid(0), 0);
    }
};

}  // namespace nsb::sys

#define NSB_NEEDS_ROOT() \
    if (geteuid() != 0) GTEST_SKIP() << "needs root: it becomes other users"
