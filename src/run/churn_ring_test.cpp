#include "run/churn_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace nsb::run {
namespace {

TEST(ChurnRing, IsReadToItsEndAcrossItsBegin) {
    std::array<churn::Record, 4> ring{};
    for (std::size_t i = 0; i < ring.size(); ++i) ring[i].start = i;
    std::uint64_t read = 3;
    std::vector<std::uint64_t> starts;
    const auto visit = [&](const churn::Record& record) { starts.push_back(record.start); };
    EXPECT_EQ(each_new(ring, read, 6, visit), 0U);
    EXPECT_EQ(starts, (std::vector<std::uint64_t>{3, 0, 1}));
    EXPECT_EQ(read, 6U);
    EXPECT_EQ(each_new(ring, read, 6, visit), 0U);
    EXPECT_EQ(starts.size(), 3U);
}

TEST(ChurnRing, TellsOfRecordsThatAreThereNoMore) {
    std::array<churn::Record, 4> ring{};
    std::uint64_t read = 3;
    const auto visit = [](const churn::Record& /*record*/) {
        ADD_FAILURE() << "nobody knows which these are";
    };
    EXPECT_EQ(each_new(ring, read, 8, visit), 5U);
    EXPECT_EQ(read, 8U);
    // A number that goes backwards is one that somebody else has written to.
    EXPECT_GT(each_new(ring, read, 7, visit), 0U);
}

}  // namespace
}  // namespace nsb::run
