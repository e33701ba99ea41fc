#include "core/set_sums.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nsb {
namespace {

const Case kNone = Case::of(Operation::unshare, {});

/// A row of unshare for each set: a kind alone costs 100, and each further one 100 and `further`.
std::vector<Row> rows(double further, double half = 1) {
    std::vector<Row> all;
    for (int bits = 1; bits < KindSet::kCount; ++bits) {
        Row row;
        row.measured = Case::of(Operation::unshare, KindSet(static_cast<std::uint8_t>(bits)));
        row.phase = Phase::create;
        const int sharing = (row.measured.set - KindSet(Kind::user)).size();
        const double value = 100 * row.measured.set.size() + further * std::max(0, sharing - 1);
        row.delta = Delta{value, Interval{value - half, value + half}, std::nullopt, kNone};
        all.push_back(row);
    }
    return all;
}

Row& row_of(std::vector<Row>& rows, KindSet set) {
    return *std::ranges::find(rows, Case::of(Operation::unshare, set), &Row::measured);
}

TEST(SetSums, FollowWhereEachKindCostsWhatItCostsAlone) {
    const auto sums = set_sums(rows(0), kNone);
    ASSERT_TRUE(sums);
    EXPECT_EQ(sums->compared, 247U);
    EXPECT_EQ(sums->following, 247U);
    EXPECT_TRUE(sums->off.empty());
    EXPECT_FALSE(sums->shared);
    ASSERT_TRUE(sums->all);
    EXPECT_DOUBLE_EQ(sums->all->added, 800);
    EXPECT_DOUBLE_EQ(sums->all->gap, 0);
    EXPECT_DOUBLE_EQ(sums->all->range.low, -9) << "each of nine figures may be off by one";
    EXPECT_DOUBLE_EQ(sums->all->range.high, 9);
}

TEST(SetSums, TakeOffWhatKindsShare) {
    const auto sums = set_sums(rows(-30), kNone);
    ASSERT_TRUE(sums && sums->shared);
    EXPECT_DOUBLE_EQ(sums->shared->saving, 30);
    EXPECT_EQ(sums->following, 247U);
    EXPECT_DOUBLE_EQ(sums->all->gap, 0);
}

TEST(SetSums, NameThoseThatDoNotFollowTheLargestFirst) {
    std::vector<Row> all = rows(0);
    const auto move = [&](KindSet set, double by) {
        Delta& delta = *row_of(all, set).delta;
        delta.value += by;
        delta.ci = Interval{delta.ci->low + by, delta.ci->high + by};
    };
    move(Kind::net | Kind::mnt, 8);
    move(Kind::ipc | Kind::net, -20);
    move(Kind::pid | Kind::uts, 2);
    const auto sums = set_sums(all, kNone);
    ASSERT_EQ(sums->off.size(), 2U) << "2 lies within what three figures may be off by";
    EXPECT_EQ(sums->following, 245U);
    EXPECT_EQ(sums->off[0].kinds, Kind::ipc | Kind::net);
    EXPECT_DOUBLE_EQ(sums->off[0].gap, -20);
    EXPECT_DOUBLE_EQ(sums->off[0].range.high, -17);
    EXPECT_DOUBLE_EQ(sums->off[1].gap, 8);
}

TEST(SetSums, AreOfWhatIsKnown) {
    std::vector<Row> all = rows(0);
    row_of(all, Kind::time).delta->ci.reset();
    EXPECT_EQ(set_sums(all, kNone)->compared, 128U - 8) << "of seven kinds";
    EXPECT_FALSE(set_sums(all, kNone)->all);
    std::erase_if(all, [](const Row& row) { return row.measured.set.size() == 1; });
    EXPECT_FALSE(set_sums(all, kNone));
    EXPECT_FALSE(set_sums({}, kNone));
}

TEST(SetSums, TakeWhatSavedMachinesVaryBy) {
    std::vector<Row> all = rows(0, 0);
    for (Row& row : all) row.delta->resolution = row.measured.set.size() == 2 ? 5 : 0;
    row_of(all, Kind::net | Kind::mnt).delta->value += 4;
    EXPECT_EQ(set_sums(all, kNone)->following, 247U);
    row_of(all, Kind::net | Kind::mnt).delta->value += 4;
    EXPECT_EQ(set_sums(all, kNone)->following, 246U);
}

}  // namespace
}  // namespace nsb
