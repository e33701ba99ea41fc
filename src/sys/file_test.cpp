#include "sys/file.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "sys/error.h"

namespace nsb::sys {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "nsbench-test-XXXXXX").native();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
    }
    void TearDown() override { fs::remove_all(folder_); }
    fs::path folder_;
};

TEST_F(FileTest, IsReplacedWhole) {
    replace_file(folder_ / "a", "one");
    replace_file(folder_ / "a", "two");
    EXPECT_EQ(read_file(folder_ / "a"), "two");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, ALinkStaysALink) {
    replace_file(folder_ / "target", "old");
    fs::create_symlink("target", folder_ / "link");
    replace_file(folder_ / "link", "new");
    EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
    EXPECT_EQ(read_file(folder_ / "target"), "new");
}

TEST_F(FileTest, ALinkLeftUnderTheTemporaryNameIsNotFollowed) {
    replace_file(folder_ / "precious", "kept");
    fs::create_symlink("precious", folder_ / "a.part");
    replace_file(folder_ / "a", "text");
    EXPECT_EQ(read_file(folder_ / "precious"), "kept");
    EXPECT_EQ(read_file(folder_ / "a"), "text");
}

TEST_F(FileTest, DevicesAreWrittenToAndStay) {
    replace_file("/dev/null", "text");
    EXPECT_TRUE(fs::is_character_file("/dev/null"));
    const fs::file_status before = fs::symlink_status("/dev/stderr");
    replace_file("/dev/stderr", "");
    EXPECT_EQ(fs::symlink_status("/dev/stderr").type(), before.type());
    EXPECT_THROW(replace_file("/dev/full", "text"), SystemError);
}

TEST_F(FileTest, WhatCannotBeWrittenIsSaidBefore) {
    EXPECT_THROW(check_writable(folder_ / "no" / "such"), SystemError);
    EXPECT_NO_THROW(check_writable(folder_ / "new"));
    EXPECT_FALSE(fs::exists(folder_ / "new"));
}

TEST(ErrorText, HasCallArgumentsAndErrno) {
    EXPECT_STREQ(SystemError("open", "/x", ENOENT).what(), "open(/x): No such file or directory (ENOENT)");
}

}  // namespace
}  // namespace nsb::sys
