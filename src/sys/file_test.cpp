#include "sys/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "sys/error.h"
#include "sys/test_folder.h"

namespace nsb::sys {
namespace {

namespace fs = std::filesystem;

class FileTest : public FolderTest {
  protected:
    /// Owner, group and mode.
    static std::string access_of(const fs::path& path) {
        struct stat status {};
        EXPECT_EQ(stat(path.c_str(), &status), 0);
        return fmt::format("{}:{} {:04o}", status.st_uid, status.st_gid, status.st_mode & 07777U);
    }
    static void give(const fs::path& path, uid_t owner, mode_t mode) {
        put(path, "old");
        EXPECT_EQ(chown(path.c_str(), owner, owner), 0);
        EXPECT_EQ(chmod(path.c_str(), mode), 0);
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator(folder_)) found.push_back(entry.path().filename());
        std::sort(found.begin(), found.end());
        return found;
    }
};

TEST_F(FileTest, IsReplacedWhole) {
    replace_file(folder_ / "a", "one");
    replace_file(folder_ / "a", "two");
    EXPECT_EQ(read_file(folder_ / "a"), "two");
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, OfAnyLengthIsReadWhole) {
    for (const std::size_t size : {0UL, 1UL, 65535UL, 65536UL, 65537UL, 200'000UL}) {
        std::string text(size, 'x');
        for (std::size_t i = 0; i < size; i += 1000) text[i] = static_cast<char>('a' + i / 1000 % 26);
        replace_file(folder_ / "a", text);
        EXPECT_EQ(read_file(folder_ / "a"), text);
    }
    const auto maps = read_file("/proc/self/smaps");  // longer than a page, of no size, and read in pieces
    ASSERT_TRUE(maps);
    EXPECT_GT(maps->size(), 4096U);
    EXPECT_NE(maps->rfind("VmFlags:"), std::string::npos);
}

TEST_F(FileTest, ThatCannotBeReadHasAnErrno) {
    EXPECT_EQ(read_file(folder_ / "none").error(), ENOENT);
    EXPECT_EQ(read_file(folder_).error(), EISDIR);
}

TEST_F(FileTest, ALinkStaysALink) {
    replace_file(folder_ / "target", "old");
    fs::create_symlink("target", folder_ / "link");
    replace_file(folder_ / "link", "new");
    EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
    EXPECT_EQ(read_file(folder_ / "target"), "new");
}

TEST_F(FileTest, NothingElseIsTouched) {
    put(folder_ / "precious", "kept");
    put(folder_ / "b.part", "kept, too");
    fs::create_symlink("precious", folder_ / "a.part");
    for (const char* const name : {"a", "b"}) {
        check_writable(folder_ / name);
        replace_file(folder_ / name, "text");
    }
    EXPECT_EQ(text_of(folder_ / "precious"), "kept");
    EXPECT_EQ(text_of(folder_ / "b.part"), "kept, too");
    EXPECT_TRUE(fs::is_symlink(folder_ / "a.part"));
    EXPECT_EQ(names(), (std::vector<std::string>{"a", "a.part", "b", "b.part", "precious"}));
}

TEST_F(FileTest, NamesMayBeAsLongAsAny) {
    for (const std::size_t length : {250U, 251U, 254U, 255U}) {
        const fs::path path = folder_ / std::string(length, 'x');
        check_writable(path);
        replace_file(path, "one");
        replace_file(path, "two");
        EXPECT_EQ(text_of(path), "two");
    }
    EXPECT_THROW(check_writable(folder_ / std::string(256, 'x')), SystemError);
}

TEST_F(FileTest, OwnerAndModeOfWhatIsReplacedAreKept) {
    NSB_NEEDS_ROOT();
    give(folder_ / "private", kNobody, 0600);
    give(folder_ / "shared", kAnother, 0664);
    give(folder_ / "read-only", 0, 0444);
    const mode_t before = umask(027);
    for (const char* const name : {"private", "shared", "read-only", "new"}) {
        check_writable(folder_ / name);
        replace_file(folder_ / name, "new");
    }
    umask(before);
    EXPECT_EQ(access_of(folder_ / "private"), "65534:65534 0600");
    EXPECT_EQ(access_of(folder_ / "shared"), "65533:65533 0664");
    EXPECT_EQ(access_of(folder_ / "read-only"), "0:0 0444");
    EXPECT_EQ(access_of(folder_ / "new"), "0:0 0640");
    EXPECT_EQ(text_of(folder_ / "private"), "new");
}

TEST_F(FileTest, WhatAUserReplacesIsOpenToNobodyElse) {
    NSB_NEEDS_ROOT();
    ASSERT_EQ(chown(folder_.c_str(), kNobody, kNobody), 0);
    give(folder_ / "own", kNobody, 0600);
    give(folder_ / "group", kAnother, 0640);
    give(folder_ / "all", kAnother, 0664);
    {
        const AsUser user(kNobody);
        for (const char* const name : {"own", "group", "all"}) replace_file(folder_ / name, "new");
    }
    EXPECT_EQ(access_of(folder_ / "own"), "65534:65534 0600");
    EXPECT_EQ(access_of(folder_ / "group"), "65534:65534 0600");  // the new group could not read it
    EXPECT_EQ(access_of(folder_ / "all"), "65534:65534 0644");
}

TEST_F(FileTest, AnAccessControlListIsKept) {
    put(folder_ / "a", "old");
    // linux/posix_acl_xattr.h: tag, permissions, id. The owner and one user may write, the group and others
    // nothing.
    struct AclEntry {
        std::uint16_t tag, permissions;
        std::uint32_t id;
    };
    struct {
        std::uint32_t version = 2;
        AclEntry entries[5] = {{1, 6, ~0U}, {2, 6, kAnother}, {4, 0, ~0U}, {16, 6, ~0U}, {32, 0, ~0U}};
    } list;
    const char* const name = "system.posix_acl_access";
    if (setxattr((folder_ / "a").c_str(), name, &list, sizeof list, 0) != 0)
        GTEST_SKIP() << "no lists in this file system";
    const std::string before = access_of(folder_ / "a");
    replace_file(folder_ / "a", "new");
    decltype(list) kept{};
    EXPECT_EQ(getxattr((folder_ / "a").c_str(), name, &kept, sizeof kept), sizeof list);
    EXPECT_EQ(std::memcmp(&list, &kept, sizeof list), 0);
    EXPECT_EQ(access_of(folder_ / "a"), before);
}

TEST_F(FileTest, WhatAStickyFolderForbidsIsSaidBefore) {
    NSB_NEEDS_ROOT();
    const fs::path shared = make("shared", 01777);
    give(shared / "theirs", kAnother, 0666);
    const AsUser user(kNobody);
    EXPECT_THROW(check_writable(shared / "theirs"), SystemError);
    EXPECT_NO_THROW(check_writable(shared / "mine"));
    EXPECT_EQ(std::distance(fs::directory_iterator(shared), {}), 1);
}

TEST_F(FileTest, AFileInSharedMemoryIsAFile) {
    const fs::path path = fs::path("/dev/shm") / folder_.filename();
    check_writable(path);
    replace_file(path, "one");
    replace_file(path, "two");
    EXPECT_EQ(text_of(path), "two");
    fs::remove(path);
}

TEST_F(FileTest, WhatIsOpenIsWrittenInPlace) {
    const Fd file(open((folder_ / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    write_all(file.get(), "one,", "out");
    const fs::path path = fmt::format("/dev/fd/{}", file.get());
    check_writable(path);
    replace_file(path, "two,");
    write_all(file.get(), "three", "out");
    EXPECT_EQ(text_of(folder_ / "out"), "one,two,three");
    const Fd read_only(open((folder_ / "out").c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_THROW(check_writable(fmt::format("/dev/fd/{}", read_only.get())), SystemError);
    EXPECT_THROW(check_writable("/dev/fd/999999"), SystemError);
}

TEST_F(FileTest, APipeIsNotOpenedBeforeItIsWritten) {
    ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0666), 0);
    const Fd reader(open((folder_ / "pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    check_writable(folder_ / "pipe");
    replace_file(folder_ / "pipe", "text");
    std::string text(8, '\0');
    EXPECT_EQ(read(reader.get(), text.data(), text.size()), 4);
    EXPECT_TRUE(fs::is_fifo(folder_ / "pipe"));
}

TEST_F(FileTest, ALimitIsAnErrorThatLeavesNothing) {
    put(folder_ / "a", "old");
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit limit{1000, before.rlim_max};
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    int error = 0;
    try {
        replace_file(folder_ / "a", std::string(2000, 'x'));
    } catch (const SystemError& thrown) {
        error = thrown.error();
    }
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    EXPECT_EQ(error, EFBIG);
    EXPECT_EQ(text_of(folder_ / "a"), "old");
    EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(FileTest, OnlyLeftoversAreRemoved) {
    for (const char* const name : {".part-0123abcd", ".part-mine", "a.part", ".part-0123abcde"})
        put(folder_ / name, "");
    remove_leftovers(Fd(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
    EXPECT_EQ(names(), (std::vector<std::string>{".part-0123abcde", ".part-mine", "a.part"}));
}

TEST_F(FileTest, LeftoversOfOthersStayWhereTheyMayBe) {
    NSB_NEEDS_ROOT();
    for (const mode_t mode : {01777U, 0775U, 0755U}) {
        const fs::path shared = make("shared", mode);
        give(shared / ".part-00000001", kNobody, 0600);
        put(shared / ".part-00000002", "");
        fs::create_directory(shared / ".part-00000003");
        remove_leftovers(Fd(open(shared.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
        // Where nobody else can make any, it is what root was about to put into the place of a user's file.
        EXPECT_EQ(fs::exists(shared / ".part-00000001"), mode != 0755);
        EXPECT_EQ(std::distance(fs::directory_iterator(shared), {}), mode != 0755 ? 1 : 0);
        fs::remove_all(shared);
    }
}

TEST_F(FileTest, WhatSomebodyElseCanHavePutThereIsNotRead) {
    NSB_NEEDS_ROOT();
    const auto is_read = [](const fs::path& folder) {
        const Fd opened(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        try {
            return read_own_file("a", opened.get()) == "old";
        } catch (const SystemError& error) {
            EXPECT_EQ(error.error(), EACCES) << error.what();
            return false;
        }
    };
    for (const mode_t mode : {01777U, 0777U, 0775U, 0755U}) {
        const fs::path roots = make("roots", mode);
        give(roots / "a", kAnother, 0644);
        EXPECT_EQ(is_read(roots), mode == 0755) << std::oct << mode;
        give(roots / "a", kNobody, 0644);
        const AsUser user(kNobody);
        EXPECT_TRUE(is_read(roots));
    }
    give(folder_ / "roots" / "a", 0, 0644);
    const AsUser user(kNobody);
    EXPECT_TRUE(is_read(folder_ / "roots"));
}

TEST_F(FileTest, WhatIsReadIsWhatWasFound) {
    // Another program changes what has the name, again and again: a file and a pipe.
    const fs::path name = folder_ / "a";
    const fs::path pipe = folder_ / "pipe";
    put(name, "old");
    ASSERT_EQ(mkfifo(pipe.c_str(), 0666), 0);
    const pid_t other = fork();
    if (other == 0) {
        for (;;) renameat2(AT_FDCWD, name.c_str(), AT_FDCWD, pipe.c_str(), RENAME_EXCHANGE);
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
    std::string read = "old";
    while (read == "old" && std::chrono::steady_clock::now() < end) {
        try {
            read = read_own_file(name, AT_FDCWD);
        } catch (const SystemError&) {
        }
    }
    EXPECT_EQ(read, "old");
    kill(other, SIGKILL);
    waitpid(other, nullptr, 0);
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

TEST_F(FileTest, LinesAreWholeWhereverAPieceEnds) {
    std::string text;
    std::vector<std::string> wanted;
    for (std::size_t length = 0; text.size() < 300'000; length += 37) {
        wanted.emplace_back(length, static_cast<char>('a' + length % 26));
        text += wanted.back() + "\n";
    }
    wanted.emplace_back(200'000, 'z');
    text += wanted.back() + "\n";
    const auto read = [this](std::string_view content, std::size_t most) {
        replace_file(folder_ / "lines", content);
        std::vector<std::string> lines;
        EXPECT_TRUE(read_lines(folder_ / "lines", [&](std::string_view line) {
            lines.emplace_back(line);
            return lines.size() < most;
        }));
        return lines;
    };
    EXPECT_EQ(read(text, SIZE_MAX), wanted);
    EXPECT_EQ(read("a\n\nno end", SIZE_MAX), (std::vector<std::string>{"a", "", "no end"}));
    EXPECT_EQ(read("", SIZE_MAX), std::vector<std::string>{});
    wanted.resize(3);
    EXPECT_EQ(read(text, 3), wanted);
    EXPECT_EQ(read_lines(folder_ / "missing", [](std::string_view) { return true; }).error(), ENOENT);
    EXPECT_EQ(read_lines(folder_, [](std::string_view) { return true; }).error(), EISDIR);
}

TEST(ErrorText, HasCallArgumentsAndErrno) {
    EXPECT_STREQ(SystemError("open", "/x", ENOENT).what(), "open(/x): No such file or directory (ENOENT)");
}

}  // namespace
}  // namespace nsb::sys
