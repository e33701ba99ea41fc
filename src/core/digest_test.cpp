#include "core/digest.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace nsb {
namespace {

/// A case's rows, each phase's median `value`; what it adds to `base` where there is one.
void add(std::vector<Row>& rows, const Case& c, double value, const std::optional<Case>& base = {},
         double adds = 0) {
    for (const Phase phase : c.phases()) {
        Row row;
        row.measured = c;
        row.phase = phase;
        row.figures = Figures{};
        row.figures->median = value;
        row.figures->ci = Interval{value - 1, value + 1};
        if (base) row.delta = Delta{adds, Interval{adds - 1, adds + 1}, std::nullopt, *base};
        rows.push_back(row);
    }
}

void add_missing(std::vector<Row>& rows, const Case& c, std::optional<Phase> only, const std::string& error) {
    for (const Phase phase : c.phases()) {
        if (only && phase != *only) continue;
        Row row;
        row.measured = c;
        row.phase = phase;
        row.status = Status::skipped;
        row.error = error;
        row.reason = "so it is";
        rows.push_back(row);
    }
}

Case clone(KindSet set) {
    return Case::of(Operation::clone, set);
}

TEST(Headlines, AreKindsAloneAtTheDefaults) {
    const auto is = [](const Case& c, KindSet base = {}) { return is_headline(c, base); };
    EXPECT_TRUE(is(clone({})));
    EXPECT_TRUE(is(clone(Kind::pid)));
    EXPECT_FALSE(is(clone(Kind::pid | Kind::net)));
    EXPECT_FALSE(is(clone(KindSet::all())));
    EXPECT_FALSE(is(clone(Kind::pid).with(Parameter::stack, 64U << 10U)));
    EXPECT_FALSE(is(clone(Kind::pid).with(Parameter::twin, 1)));
    EXPECT_TRUE(is(Case::of(Operation::setns, Kind::net)));
    EXPECT_FALSE(is(Case::of(Operation::setns, Kind::net).with(Parameter::join_via, 1)));
    // Operations that are planned with other sets.
    EXPECT_TRUE(is(Case::of(Operation::proc_remount, Kind::mnt | Kind::pid)));
    EXPECT_FALSE(is(Case::of(Operation::proc_remount, Kind::mnt | Kind::pid | Kind::net)));
    const KindSet usual = KindSet::all() - (Kind::time | Kind::user);
    EXPECT_TRUE(is(Case::of(Operation::container, usual)));
    EXPECT_TRUE(is(Case::of(Operation::runtime, usual).with(Parameter::by, 2))) << "a runtime is no variant";
    // Through a user namespace.
    EXPECT_TRUE(is(clone(Kind::pid | Kind::user), Kind::user));
    EXPECT_FALSE(is(clone(Kind::pid | Kind::user | Kind::net), Kind::user));
    EXPECT_TRUE(is(Case::of(Operation::setns, Kind::net), Kind::user));
    EXPECT_TRUE(is(Case::of(Operation::proc_remount, Kind::mnt | Kind::pid | Kind::user), Kind::user));
}

TEST(Digest, HasTheKindsAloneTheLargestFirst) {
    std::vector<Row> rows;
    add(rows, clone({}), 30);
    add(rows, clone(Kind::uts), 31, clone({}), 1);
    add(rows, clone(Kind::net), 330, clone({}), 300);
    add(rows, clone(Kind::net).with(Parameter::stack, 16U << 10U), 400, clone({}), 370);
    add(rows, clone(Kind::net | Kind::uts), 340, clone({}), 310);
    add_missing(rows, clone(Kind::time), {}, "ENOSYS");
    const Digest digest = digest_of(rows, {}, {});
    ASSERT_EQ(digest.blocks.size(), 1U);
    const DigestBlock& block = digest.blocks[0];
    EXPECT_EQ(block.phase, Phase::create);
    EXPECT_EQ(block.base, clone({}));
    EXPECT_TRUE(block.is_of_kinds);
    ASSERT_EQ(block.entries.size(), 3U);
    EXPECT_EQ(block.entries[0].measured, clone(Kind::net));
    EXPECT_DOUBLE_EQ(block.entries[0].figure->value, 300);
    EXPECT_EQ(block.entries[1].measured, clone(Kind::uts));
    EXPECT_EQ(block.entries[2].error, "ENOSYS");
    EXPECT_FALSE(block.entries[2].figure);
    ASSERT_TRUE(block.sums);
    EXPECT_EQ(block.sums->compared, 1U);
    EXPECT_TRUE(digest.has(clone(Kind::net)));
    EXPECT_TRUE(digest.has(clone({})));
    EXPECT_FALSE(digest.has(clone(Kind::net | Kind::uts)));
    EXPECT_EQ(digest.cases, 6U);
    EXPECT_EQ(digest.precise, 5U);
}

TEST(Digest, WithoutHeadlinesIsOfWhatThereIs) {
    std::vector<Row> rows;
    const Case small = clone(Kind::pid).with(Parameter::stack, 16U << 10U);
    add(rows, small, 40, clone({}), 10);
    add(rows, clone(Kind::pid).with(Parameter::stack, 32U << 10U), 50, clone({}), 20);
    Digest digest = digest_of(rows, {}, {});
    ASSERT_EQ(digest.blocks.size(), 2U) << "one for each stack";
    ASSERT_EQ(digest.blocks[0].entries.size(), 1U);
    EXPECT_EQ(digest.blocks[0].entries[0].measured, small);

    rows.clear();
    for (int bits = 0; bits < KindSet::kCount; ++bits) {
        const KindSet set(static_cast<std::uint8_t>(bits));
        if (set.size() == 2) add(rows, clone(set), 100 + bits, clone({}), bits);
    }
    digest = digest_of(rows, {}, {});
    EXPECT_FALSE(digest.blocks[0].is_of_kinds);
    EXPECT_EQ(digest.blocks[0].entries.size(), 8U);
    EXPECT_EQ(digest.blocks[0].left_out, 20U);
    EXPECT_DOUBLE_EQ(digest.blocks[0].entries[0].figure->value, 0xC0);
}

TEST(Digest, OfOperationsWithoutABaseIsWhatTheyTake) {
    std::vector<Row> rows;
    for (const Kind kind : {Kind::net, Kind::uts}) {
        add(rows, Case::of(Operation::setns, kind), 2 + static_cast<double>(kind));
        add(rows, Case::of(Operation::setns, kind).with(Parameter::join_via, 1), 9);
    }
    add(rows, Case::of(Operation::proc_remount, Kind::mnt | Kind::pid), 16);
    const Digest digest = digest_of(rows, {}, {});
    ASSERT_EQ(digest.blocks.size(), 2U);
    EXPECT_FALSE(digest.blocks[0].base);
    ASSERT_EQ(digest.blocks[0].entries.size(), 2U);
    EXPECT_DOUBLE_EQ(digest.blocks[0].entries[0].figure->value, 2 + static_cast<double>(Kind::uts));
    EXPECT_EQ(digest.blocks[1].phase, Phase::mount);
    EXPECT_FALSE(digest.blocks[1].is_of_kinds);
    EXPECT_TRUE(digest.bases.empty());
}

TEST(Digest, ThroughAUserNamespaceIsWhatKindsAddToIt) {
    std::vector<Row> rows;
    std::vector<Row> bases;
    add(rows, clone({}), 30);
    add(rows, clone(Kind::pid | Kind::user), 44, clone(Kind::user), 4);
    add(bases, clone(Kind::user), 40);
    const Digest digest = digest_of(rows, bases, Kind::user);
    ASSERT_EQ(digest.blocks[0].entries.size(), 1U);
    EXPECT_EQ(digest.blocks[0].entries[0].kinds, KindSet(Kind::pid));
    EXPECT_EQ(digest.blocks[0].base, clone(Kind::user));
    ASSERT_EQ(digest.bases.size(), 2U);
    EXPECT_EQ(digest.bases[1].measured, clone(Kind::user));
    EXPECT_DOUBLE_EQ(digest.bases[1].figure.value, 40);
}

TEST(Digest, CountsWhatIsMissingByItsReason) {
    std::vector<Row> rows;
    add_missing(rows, clone(Kind::time), {}, "ENOSYS");
    add_missing(rows, clone(Kind::time | Kind::uts), {}, "ENOSYS");
    add_missing(rows, clone(Kind::pid), {}, "EPERM");
    add(rows, clone(Kind::net), 30);
    rows.pop_back();  // its drain
    add_missing(rows, clone(Kind::net), Phase::drain, "EPERM");
    const Digest digest = digest_of(rows, {}, {});
    ASSERT_EQ(digest.missing.size(), 3U);
    EXPECT_EQ(digest.missing[0].cases, 2U);
    EXPECT_EQ(digest.missing[0].error, "ENOSYS");
    EXPECT_FALSE(digest.missing[0].phase);
    EXPECT_EQ(digest.missing[1].error, "EPERM");
    EXPECT_EQ(digest.missing[2].phase, Phase::drain);
    EXPECT_EQ(digest.missing[2].cases, 1U);
    EXPECT_EQ(digest.precise, 1U) << "a drain comes as it comes";
}

TEST(Digest, HasOneFigureOfEachBase) {
    std::vector<Row> bases;
    add(bases, clone({}).with(Parameter::stack, 16U << 10U), 28);
    add(bases, clone({}), 30);
    add(bases, clone({}).with(Parameter::stack, 64U << 20U), 33);
    const Digest digest = digest_of({}, bases, {});
    ASSERT_EQ(digest.bases.size(), 1U);
    EXPECT_EQ(digest.bases[0].measured, clone({}));
    EXPECT_DOUBLE_EQ(digest.bases[0].figure.value, 30);
    EXPECT_EQ(digest.bases[0].cases, 3U);
    EXPECT_DOUBLE_EQ(digest.bases[0].medians.low, 28);
    EXPECT_DOUBLE_EQ(digest.bases[0].medians.high, 33);
}

}  // namespace
}  // namespace nsb
