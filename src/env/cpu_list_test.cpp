#include "env/cpu_list.h"

#include <gtest/gtest.h>

namespace nsb::env {
namespace {

TEST(CpuList, IsReadAndWrittenAsTheKernelDoes) {
    for (const char* const text : {"", "0", "0-1", "0-3,8,10-11", "5,7,9"}) {
        const auto cpus = parse_cpus(text);
        ASSERT_TRUE(cpus) << text;
        EXPECT_EQ(to_text(*cpus), text);
    }
    EXPECT_EQ(parse_cpus("2-4"), (CpuSet{2, 3, 4}));
}

TEST(CpuList, RefusesWhatIsNone) {
    for (const char* const text : {"a", "1-", "-1", "1,,2", "0-99999999999", "1-2-3", " 1"})
        EXPECT_FALSE(parse_cpus(text)) << text;
}

TEST(CpuList, TakesSomeAway) {
    EXPECT_EQ(without({0, 1, 2}, {1, 5}), (CpuSet{0, 2}));
    EXPECT_EQ(without({1}, {1}), CpuSet{});
}

}  // namespace
}  // namespace nsb::env
