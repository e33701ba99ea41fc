#include "env/thread.h"

#include <gtest/gtest.h>

#include "env/fake_tree.h"

namespace nsb::env::detail {
namespace {

using Start = sys::Result<std::uint64_t>;

TEST(Thread, HasItsStartBehindAnyName) {
    FakeTree tree;
    ASSERT_TRUE(tree.made());
    for (const std::string_view name : {"x", "a b", ")", "a) S 1 2 3 (b", "((", ""}) {
        put_thread(tree, {70, 71, name, "0", 0, 0, 4321});
        EXPECT_EQ(start_of(tree.root(), "/proc/70/task/71"), Start(4321)) << name;
        EXPECT_EQ(stat_field(tree.root(), "/proc/70/task/71", 3), sys::Result<std::string>("I")) << name;
    }
    EXPECT_EQ(stat_field(tree.root(), "/proc/70/task/71", 2), tl::unexpected(ENODATA));
}

TEST(Thread, HasNoStartWhereItsFileDoesNotSay) {
    FakeTree tree;
    ASSERT_TRUE(tree.made());
    const auto start = [&] { return start_of(tree.root(), "/proc/7/task/7"); };
    EXPECT_EQ(start(), tl::unexpected(ENOENT));
    const std::string before = "7 (x) S 2 0 0 0 -1 0 0 0 0 0 0 0 0 0 0 0 0 0 ";
    tree.file("/proc/7/task/7/stat", before + "18446744073709551615 0\n");
    EXPECT_EQ(start(), Start(UINT64_MAX));
    for (const std::string& text : {std::string(), before, before + "-1 0", before + "1x 0", before + "x 0",
                                    before + "18446744073709551616 0", std::string("7 x S")}) {
        tree.file("/proc/7/task/7/stat", text + "\n");
        EXPECT_EQ(start(), tl::unexpected(ENODATA)) << text;
    }
}

}  // namespace
}  // namespace nsb::env::detail
