#include "core/shared_cost.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

namespace nsb {
namespace {

/// A row of unshare for each set of one or two kinds: a kind's own cost by its number, and `own` of each
/// pair.
class SharedCosts : public testing::Test {
  protected:
    template <typename Own>
    void fill(Own own, KindSet base_set = {}) {
        rows_.clear();
        for (int bits = 1; bits < KindSet::kCount; ++bits) {
            const KindSet set(static_cast<std::uint8_t>(bits));
            if (set.size() > 2 || set.intersects(base_set)) continue;
            double sum = set.size() == 2 ? own(set) : 0;
            for (const KindInfo& kind : kKinds) {
                if (set.contains(kind.kind)) sum += 10 * (1 + static_cast<double>(kind.kind));
            }
            Row row;
            row.measured = Case::of(Operation::unshare, set | base_set);
            row.phase = Phase::create;
            row.delta =
                Delta{sum, Interval{sum - 1, sum + 1}, std::nullopt, Case::of(Operation::unshare, base_set)};
            rows_.push_back(row);
        }
    }
    Row& row(KindSet set) {
        return *std::ranges::find(rows_, Case::of(Operation::unshare, set), &Row::measured);
    }

    std::vector<Row> rows_;
};

TEST_F(SharedCosts, AreWhatTwoTogetherSave) {
    fill([](KindSet set) { return set.contains(Kind::net) ? -5 : -3; });
    const auto shared = shared_costs(rows_);
    ASSERT_EQ(shared.size(), 1U);
    EXPECT_EQ(shared[0].base, Case::of(Operation::unshare, {}));
    EXPECT_EQ(shared[0].pairs, 21U) << "of seven kinds, for NEWUSER is in none";
    EXPECT_DOUBLE_EQ(shared[0].saving, 3);
    EXPECT_DOUBLE_EQ(shared[0].ci.low, 3);
    EXPECT_DOUBLE_EQ(shared[0].ci.high, 5);
}

TEST_F(SharedCosts, MayBeOfTheOtherSign) {
    fill([](KindSet) { return 2; });
    ASSERT_EQ(shared_costs(rows_).size(), 1U);
    EXPECT_DOUBLE_EQ(shared_costs(rows_)[0].saving, -2);
}

TEST_F(SharedCosts, AreNotSaidWhereTheFiguresDoNotShowThem) {
    fill([](KindSet set) { return set.bits() % 3 == 0 ? -4 : 4; });
    EXPECT_TRUE(shared_costs(rows_).empty());
    fill([](KindSet) { return 0; });
    EXPECT_TRUE(shared_costs(rows_).empty());
}

TEST_F(SharedCosts, TakeBothKindsAloneWithIntervals) {
    fill([](KindSet) { return -3; });
    row(Kind::net).delta->ci.reset();
    EXPECT_EQ(shared_costs(rows_)[0].pairs, 15U);
    row(Kind::pid).delta.reset();
    EXPECT_EQ(shared_costs(rows_)[0].pairs, 10U);
    row(Kind::mnt | Kind::uts).delta->ci.reset();
    EXPECT_EQ(shared_costs(rows_)[0].pairs, 9U);
    row(Kind::mnt).delta.reset();
    EXPECT_EQ(shared_costs(rows_)[0].pairs, 6U);
    row(Kind::ipc | Kind::uts).delta.reset();
    EXPECT_TRUE(shared_costs(rows_).empty()) << "five have no interval";
}

TEST_F(SharedCosts, WithoutRootAreBesideTheUserNamespace) {
    fill([](KindSet) { return -3; }, Kind::user);
    const auto shared = shared_costs(rows_);
    ASSERT_EQ(shared.size(), 1U);
    EXPECT_EQ(shared[0].base, Case::of(Operation::unshare, Kind::user));
    EXPECT_EQ(shared[0].pairs, 21U);
}

TEST_F(SharedCosts, AreOfTheFirstPhaseAndOfOneOperation) {
    fill([](KindSet) { return -3; });
    for (Row& row : rows_) row.phase = Phase::total;
    EXPECT_TRUE(shared_costs(rows_).empty());
    fill([](KindSet) { return -3; });
    for (Row& row : rows_) {
        row.delta->base = row.measured;  // as a twin's is
        row.measured = row.measured.with(Parameter::twin, 1);
    }
    EXPECT_TRUE(shared_costs(rows_).empty());
    EXPECT_TRUE(shared_costs({}).empty());
}

}  // namespace
}  // namespace nsb
