#include "sys/place.h"

#include "sys/caller.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/test_folder.h"

namespace nsb::sys {
namespace {

namespace fs = std::filesystem;

class PlaceTest : public FolderTest {
  protected:
    /// What replace_file() says of the path; empty where it has written.
    static std::string refusal(const fs::path& path) {
        std::string checked;
        try {
            check_writable(path);
        } catch (const SystemError& error) {
            checked = error.what();
        }
        try {
            replace_file(path, "new");
        } catch (const SystemError& error) {
            EXPECT_EQ(checked, error.what());
            return error.what();
        }
        EXPECT_EQ(checked, "");
        return "";
    }

    static void expect_not_followed(const fs::path& path, const fs::path& target, uid_t owner) {
        const std::string said = refusal(path);
        EXPECT_NE(said.find("is a link of user " + std::to_string(owner)), std::string::npos) << said;
        EXPECT_EQ(text_of(target), "old");
    }
};

TEST_F(PlaceTest, RootFollowsNoLinkThatSomebodyPlanted) {
    NSB_NEEDS_ROOT();
    put(folder_ / "precious", "old");
    for (const mode_t mode : {01777U, 0777U, 01757U, 0775U}) {
        const fs::path shared = make("shared", mode);
        link_of(kNobody, folder_ / "precious", shared / "csv");
        expect_not_followed(shared / "csv", folder_ / "precious", kNobody);
        link_of(kNobody, folder_, shared / "folder");
        expect_not_followed(shared / "folder" / "precious", folder_ / "precious", kNobody);
        EXPECT_FALSE(fs::exists(shared / "folder" / "new")) << refusal(shared / "folder" / "new");
        link_of(0, "folder/precious", shared / "two");  // the second one is theirs
        expect_not_followed(shared / "two", folder_ / "precious", kNobody);
        fs::remove_all(shared);
    }
}

TEST_F(PlaceTest, AUserFollowsNoLinkOfAnotherUser) {
    NSB_NEEDS_ROOT();
    const fs::path shared = make("shared", 01777);
    const fs::path home = make("home", 0755, kNobody);
    put(home / "own", "old");
    ASSERT_EQ(chown((home / "own").c_str(), kNobody, kNobody), 0);
    link_of(kAnother, home / "own", shared / "csv");
    link_of(0, home / "own", shared / "roots");
    link_of(kNobody, home / "own", shared / "mine");
    const AsUser user(kNobody);
    expect_not_followed(shared / "csv", home / "own", kAnother);
    EXPECT_EQ(refusal(shared / "mine"), "");
    EXPECT_EQ(text_of(home / "own"), "new");
    EXPECT_EQ(refusal(shared / "roots"), "");  // of the folder's owner
}

TEST_F(PlaceTest, TheFoldersOwnerMayHaveLinksInIt) {
    NSB_NEEDS_ROOT();
    put(folder_ / "target", "old");
    const fs::path theirs = make("theirs", 01777, kNobody);
    link_of(kNobody, folder_ / "target", theirs / "csv");
    link_of(kAnother, folder_ / "target", theirs / "planted");
    expect_not_followed(theirs / "planted", folder_ / "target", kAnother);
    EXPECT_EQ(refusal(theirs / "csv"), "");
    const fs::path closed = make("closed", 0755);
    link_of(kNobody, folder_ / "target", closed / "csv");  // nobody can have put it there
    EXPECT_EQ(refusal(closed / "csv"), "");
}

TEST_F(PlaceTest, APipeOfSomebodyElseIsNotWaitedFor) {
    NSB_NEEDS_ROOT();
    const fs::path shared = make("shared", 01777);
    ASSERT_EQ(mkfifo((shared / "csv").c_str(), 0666), 0);
    ASSERT_EQ(chown((shared / "csv").c_str(), kNobody, kNobody), 0);
    EXPECT_NE(refusal(shared / "csv").find("a pipe of user 65534"), std::string::npos);
}

TEST_F(PlaceTest, AFileThatSomebodyPlantedIsNotGivenToThem) {
    NSB_NEEDS_ROOT();
    for (const mode_t mode : {01777U, 01775U, 0777U, 0755U}) {
        const fs::path shared = make("shared", mode);
        put(shared / "csv", "old");
        ASSERT_EQ(chown((shared / "csv").c_str(), kNobody, kNobody), 0);
        const bool is_refused = mode == 01777 || mode == 01775;
        EXPECT_EQ(refusal(shared / "csv").find("belongs to user 65534") != std::string::npos, is_refused);
        EXPECT_EQ(text_of(shared / "csv"), is_refused ? "old" : "new");
        fs::remove_all(shared);
    }
}

TEST_F(PlaceTest, LinksAreFollowedToTheEnd) {
    const fs::path deep = make("deep", 0755);
    link_of(geteuid(), "../deep/./inner/..//end", deep / "link");
    make("deep/inner", 0755);
    link_of(geteuid(), deep / "link", folder_ / "first");
    EXPECT_EQ(refusal(folder_ / "first"), "");
    EXPECT_EQ(text_of(deep / "end"), "new");
    EXPECT_TRUE(fs::is_symlink(folder_ / "first"));
    link_of(geteuid(), "loop", folder_ / "loop");
    EXPECT_NE(refusal(folder_ / "loop").find("ELOOP"), std::string::npos);
    EXPECT_NE(refusal(folder_ / "first" / "x").find("ENOTDIR"), std::string::npos);
    EXPECT_NE(refusal(folder_ / "first/").find("ENOTDIR"), std::string::npos);
    EXPECT_NE(refusal(folder_ / "missing/").find("ENOENT"), std::string::npos);
    EXPECT_NE(refusal(deep).find("EISDIR"), std::string::npos);
    EXPECT_NE(refusal("").find("ENOENT"), std::string::npos);
    EXPECT_NE(refusal("/").find("EISDIR"), std::string::npos);
}

TEST_F(PlaceTest, TheKernelsOwnLinksAreFollowed) {
    EXPECT_EQ(find_place("/dev/stdout").descriptor, 1);
    EXPECT_EQ(find_place("/dev/fd/2").descriptor, 2);
    EXPECT_EQ(find_place("/proc/self/cwd/x").name, "x");
    EXPECT_EQ(refusal(fs::path("/proc/self/root") / (folder_ / "x").relative_path()), "");
    EXPECT_EQ(text_of(folder_ / "x"), "new");
}

TEST_F(PlaceTest, AFolderOfSomebodyElseIsRefused) {
    NSB_NEEDS_ROOT();
    const fs::path theirs = make("theirs", 0777, kNobody);
    link_of(0, theirs, folder_ / "link");
    const fs::path shared = make("shared", 01777);
    link_of(kNobody, folder_, shared / "planted");
    for (const fs::path& path : {theirs, folder_ / "link", shared / "planted", shared / "planted" / "new"})
        EXPECT_THROW(open_own_folder(path, Missing::is_made), SystemError) << path;
    EXPECT_FALSE(fs::exists(folder_ / "new"));
    EXPECT_TRUE(open_own_folder(theirs / "mine" / "too", Missing::is_made));
    const AsUser user(kNobody);
    EXPECT_TRUE(open_own_folder(theirs, Missing::is_made));
    EXPECT_TRUE(open_own_folder(shared, Missing::is_made));  // root's
    EXPECT_THROW(open_own_folder(theirs / "new", Missing::is_an_error), SystemError);
}

/// This process as sudo starts it, for as long as it lives.
class UnderSudo {
  public:
    UnderSudo(const char* user, const char* group) {
        setenv("SUDO_UID", user, 1);
        setenv("SUDO_GID", group, 1);
    }
    UnderSudo(const UnderSudo&) = delete;
    UnderSudo& operator=(const UnderSudo&) = delete;
    ~UnderSudo() {
        unsetenv("SUDO_UID");
        unsetenv("SUDO_GID");
    }
};

std::pair<uid_t, gid_t> owners(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
    return {status.st_uid, status.st_gid};
}

TEST_F(PlaceTest, UnderSudoWhatIsMadeBelongsToItsCaller) {
    NSB_NEEDS_ROOT();
    const fs::path home = make("home", 0755, kNobody);
    put(home / "roots", "old");
    const UnderSudo sudo("65534", "65533");
    EXPECT_EQ(refusal(home / "new"), "");
    EXPECT_EQ(refusal(home / "roots"), "");
    EXPECT_TRUE(open_own_folder(home / "one" / "two", Missing::is_made));
    EXPECT_TRUE(open_own_folder(home, Missing::is_an_error));
    const std::pair<uid_t, gid_t> callers(kNobody, kAnother);
    for (const char* name : {"new", "one", "one/two"}) EXPECT_EQ(owners(home / name), callers) << name;
    EXPECT_EQ(refusal(make("shared", 01777) / "new"), "");
    EXPECT_EQ(owners(folder_ / "shared/new"), callers);
    EXPECT_EQ(refusal(folder_ / "shared/new"), "") << "theirs, and replaced";
    EXPECT_EQ(owners(folder_ / "shared/new"), callers);
    for (const mode_t mode : {0755U, 0775U}) {
        const fs::path roots = make("roots", mode);
        EXPECT_EQ(refusal(roots / "new"), "");
        EXPECT_EQ(owners(roots / "new").first, 0U) << "they could not have made it";
        fs::remove_all(roots);
    }
    const fs::path groups = make("groups", 02775);
    ASSERT_EQ(chown(groups.c_str(), 0, kAnother), 0);
    ASSERT_EQ(chmod(groups.c_str(), 02775), 0);
    EXPECT_EQ(refusal(groups / "new"), "");
    EXPECT_EQ(owners(groups / "new"), callers);
    link_of(kNobody, home / "roots", folder_ / "shared/link");
    EXPECT_NE(refusal(folder_ / "shared/link").find("is a link of user"), std::string::npos)
        << "sudo need not let its caller do all that root may";
    EXPECT_EQ(owners(home / "roots").first, 0U) << "what is replaced keeps its owner";
    EXPECT_THROW(open_own_folder(make("others", 0755, kAnother), Missing::is_made), SystemError);
}

TEST_F(PlaceTest, WhatIsNoCallerOfSudoIsNobody) {
    NSB_NEEDS_ROOT();
    for (const auto& [user, group] :
         std::initializer_list<std::pair<const char*, const char*>>{{"0", "0"},
                                                                    {"", "1"},
                                                                    {"1", ""},
                                                                    {"-1", "1"},
                                                                    {"4294967295", "1"},
                                                                    {"1000x", "1"},
                                                                    {" 1", "1"}}) {
        const UnderSudo sudo(user, group);
        EXPECT_FALSE(sudo_caller()) << user << "/" << group;
        EXPECT_EQ(refusal(make("shared", 01777) / "new"), "");
        EXPECT_EQ(owners(folder_ / "shared/new").first, 0U);
    }
    const UnderSudo sudo("65534", "65534");
    EXPECT_TRUE(sudo_caller());
    const AsUser user(kAnother);
    EXPECT_FALSE(sudo_caller()) << "only root's runs are anybody else's";
}

}  // namespace
}  // namespace nsb::sys
