#include "sys/growing_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <chrono>
#include <csignal>

#include "sys/error.h"
#include "sys/test_folder.h"

namespace nsb::sys {
namespace {

namespace fs = std::filesystem;

Pieces text(std::string piece) {
    return [piece = std::move(piece)](const Put& put) { put(piece); };
}

/// A limit on the size of files, which stops a write in its middle as a full disk does.
class SizeLimit {
  public:
    explicit SizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &before_), 0);
        const rlimit limit{bytes, before_.rlim_max};
        EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    }
    SizeLimit(const SizeLimit&) = delete;
    SizeLimit& operator=(const SizeLimit&) = delete;
    ~SizeLimit() {
        EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &before_), 0);
        (void)std::signal(SIGXFSZ, handler_);
    }

  private:
    void (*handler_)(int);
    rlimit before_{};
};

class GrowingFileTest : public FolderTest {
  protected:
    void SetUp() override {
        FolderTest::SetUp();
        path_ = folder_ / "file";
    }

    fs::path path_;
};

TEST_F(GrowingFileTest, GrowsInItsPlace) {
    GrowingFile file(path_);
    EXPECT_FALSE(file.extend(text("x"))) << "it was never written";
    file.replace(text("one\n"));
    const fs::path other = folder_ / "other";
    fs::rename(path_, other);
    fs::rename(other, path_);
    struct stat before {};
    struct stat after {};
    ASSERT_EQ(stat(path_.c_str(), &before), 0);
    EXPECT_TRUE(file.extend([](const Put& put) {
        put("two\n");
        put("three\n");
    }));
    ASSERT_EQ(stat(path_.c_str(), &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino);
    EXPECT_EQ(text_of(path_), "one\ntwo\nthree\n");
    EXPECT_EQ(file.size(), 14);
}

TEST_F(GrowingFileTest, WhatIsBehindItsEndGoes) {
    put(path_, "one\nha");
    GrowingFile file(path_, Fd(open(path_.c_str(), O_RDONLY)), 4);
    EXPECT_TRUE(file.extend(text("two\n")));
    EXPECT_EQ(text_of(path_), "one\ntwo\n");
}

TEST_F(GrowingFileTest, OneThatIsNotAsItWasLeftIsNotExtended) {
    const std::vector<std::function<void()>> changes{
        [&] { fs::resize_file(path_, 3); },
        [&] { fs::remove(path_); },
        [&] {
            fs::remove(path_);
            put(path_, "one\n");
        },
        [&] {
            put(path_, "a longer one\n");
            fs::last_write_time(path_,
                                fs::last_write_time(path_) + std::chrono::seconds(1));  // within one tick
        },
        [&] { fs::create_hard_link(path_, folder_ / "copy"); },
        [&] {
            fs::remove(path_);
            fs::create_symlink("nowhere", path_);
        },
    };
    for (const auto& change : changes) {
        GrowingFile file(path_);
        file.replace(text("one\n"));
        const Fd held(open(path_.c_str(), O_RDONLY));  // so that no other file gets its number
        change();
        EXPECT_FALSE(file.extend(text("two\n")));
        fs::remove(path_);
        fs::remove(folder_ / "copy");
        file.replace(text("one\ntwo\n"));
        EXPECT_TRUE(file.extend(text("three\n")));
        EXPECT_EQ(text_of(path_), "one\ntwo\nthree\n");
        fs::remove(path_);
    }
}

TEST_F(GrowingFileTest, AWriteThatStopsInTheMiddleLeavesWhatThereWas) {
    GrowingFile file(path_);
    file.replace(text("one\n"));
    {
        const SizeLimit limit(6);
        try {
            (void)file.extend(text("two\n"));
            FAIL() << "it was written";
        } catch (const SystemError& error) {
            EXPECT_EQ(error.error(), EFBIG);
        }
    }
    EXPECT_EQ(text_of(path_), "one\n");
    EXPECT_EQ(file.size(), 4);
    EXPECT_TRUE(file.extend(text("three\n")));
    EXPECT_EQ(text_of(path_), "one\nthree\n");
}

TEST_F(GrowingFileTest, WhatThrowsLeavesWhatThereWas) {
    GrowingFile file(path_);
    file.replace(text("one\n"));
    const Pieces broken = [](const Put& put) {
        put("half of i");
        throw std::runtime_error("no more");
    };
    EXPECT_THROW((void)file.extend(broken), std::runtime_error);
    EXPECT_EQ(text_of(path_), "one\n");
    EXPECT_THROW(file.replace(broken), std::runtime_error);
    EXPECT_EQ(text_of(path_), "one\n");
    EXPECT_TRUE(file.extend(text("two\n")));
    EXPECT_EQ(text_of(path_), "one\ntwo\n");
}

TEST_F(GrowingFileTest, WhatIsNoRegularFileIsWrittenWhole) {
    GrowingFile file("/dev/null");
    file.replace(text("one\n"));
    EXPECT_FALSE(file.extend(text("two\n")));
    EXPECT_EQ(file.size(), 0);
    GrowingFile full("/dev/full");
    EXPECT_THROW(full.replace(text("one\n")), SystemError);
}

}  // namespace
}  // namespace nsb::sys
