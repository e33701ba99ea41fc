#include "run/curve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/case.h"
#include "run/plan.h"

namespace nsb::run {
namespace {

std::vector<std::string> levels(std::string_view text) {
    std::vector<std::string> texts;
    const auto curve = parse_curve(text);
    EXPECT_TRUE(curve) << curve.error();
    if (curve) {
        for (const std::uint64_t level : levels_of(*curve))
            texts.push_back(format_value(curve->parameter, level));
    }
    return texts;
}

std::string error_of(std::string_view text) {
    const auto curve = parse_curve(text);
    return curve ? "" : curve.error();
}

using Texts = std::vector<std::string>;

TEST(ParseCurve, HasStepsByItsRange) {
    EXPECT_EQ(parse_curve("stack:16K..64M")->steps, 12);
    EXPECT_EQ(parse_curve("parallel:1..64")->steps, 6);
    EXPECT_EQ(parse_curve("stack:16K..1G")->steps, 12);
    EXPECT_EQ(parse_curve("stack:16K..2M:7")->steps, 7);
    EXPECT_EQ(parse_curve("parallel:1..6")->steps, 6);
}

TEST(ParseCurve, IsTheInverseOfItsText) {
    for (const char* text : {"stack:16K..64M:9", "parallel:2..64:12"}) {
        EXPECT_EQ(to_string(*parse_curve(text)), text);
    }
    EXPECT_EQ(to_string(*parse_curve("stack:16K..64M")), "stack:16K..64M:12");
}

TEST(ParseCurve, SaysWhatIsWrong) {
    const auto has = [](std::string_view text, std::string_view said) {
        EXPECT_NE(error_of(text).find(said), std::string::npos) << text << ": " << error_of(text);
    };
    has("stack", "accepted is KEY:LOW..HIGH or KEY:LOW..HIGH:STEPS, such as stack:16K..64M");
    has("stack:16K", "accepted is KEY:LOW..HIGH");
    has("stack:16K..64M:8:1", "accepted is KEY:LOW..HIGH");
    has("stak:16K..64M", "nearest: 'stack'");
    has("touch:none..all", "'touch' is a choice");
    has("stack:64M..16K", "64M is not below 16K: the lower end stands first, as in stack:16K..64M");
    has("stack:1M..1M", "1M is not below 1M");
    has("stack:8K..64M", "'8K': accepted is a size from 16K to 1G in multiples of 4K");
    has("stack:16K..2G", "'2G': accepted is a size");
    has("parallel:1..1000", "'1000': accepted is");
    has("parallel:1..4", "1 to 4 has 4 values: at least 6 levels tell a growth law");
    has("stack:16K..64M:5", "'5' steps: accepted are 6 to 64: fewer levels do not tell a growth law");
    has("stack:16K..64M:x", "'x' steps");
    has("parallel:1..8:9", "'9' steps: accepted are 6 to 8, the values from 1 to 8");
}

TEST(LevelsOf, AreRoundNumbersOnALogarithmicScale) {
    EXPECT_EQ(levels("stack:16K..64M:7"), (Texts{"16K", "64K", "256K", "1M", "4M", "16M", "64M"}));
    EXPECT_EQ(levels("parallel:1..64:7"), (Texts{"1", "2", "4", "8", "16", "32", "64"}));
    EXPECT_EQ(levels("parallel:1..6"), (Texts{"1", "2", "3", "4", "5", "6"}));
    EXPECT_EQ(levels("parallel:1..10"), (Texts{"1", "2", "3", "4", "6", "10"}));
}

TEST(LevelsOf, AscendAndKeepBothEnds) {
    for (const char* text : {"stack:16K..64M", "stack:16K..1G:64", "parallel:1..64:64", "parallel:1..64:30",
                             "stack:20K..40K", "stack:100K..12000K:10"}) {
        const auto curve = parse_curve(text);
        ASSERT_TRUE(curve) << curve.error();
        const std::vector<std::uint64_t> found = levels_of(*curve);
        EXPECT_EQ(found.size(), curve->steps) << text;
        EXPECT_EQ(std::set<std::uint64_t>(found.begin(), found.end()).size(), found.size()) << text;
        EXPECT_TRUE(std::ranges::is_sorted(found)) << text;
        EXPECT_EQ(found.front(), curve->low) << text;
        EXPECT_EQ(found.back(), curve->high) << text;
        for (const std::uint64_t level : found)
            EXPECT_TRUE(parse_value(curve->parameter, format_value(curve->parameter, level))) << text;
    }
}

std::vector<Case> plan_of(const Selection& selection) {
    const auto plan = make_plan(selection);
    EXPECT_TRUE(plan) << plan.error();
    return plan ? *plan : std::vector<Case>();
}

TEST(Plan, OfACurveIsOfHeadlinesAtItsLevelsAlone) {
    Selection selection;
    selection.curve = *parse_curve("stack:16K..64M:7");
    const auto plan = plan_of(selection);
    EXPECT_EQ(plan.size(), 7U * (9 + 1));  // clone with none and each kind; proc_remount
    selection.curve = *parse_curve("parallel:1..32");
    EXPECT_EQ(plan_of(selection).size(), 6U * (9 + 9 + 8 + 1));  // and unshare and setns, by one way
}

TEST(Plan, OfACurveGoesWithWhatElseSelects) {
    Selection selection;
    selection.curve = *parse_curve("stack:16K..64M:7");
    selection.operations = {Operation::clone3};
    selection.sets = {KindSet(Kind::pid), Kind::pid | Kind::net};
    selection.values = {{"touch", {"all", "none"}}};
    EXPECT_EQ(plan_of(selection).size(), 7U * 2 * 2);
    selection.filter = "touch:all";
    EXPECT_EQ(plan_of(selection).size(), 7U * 2);
    selection.values["stack"] = {"1M"};
    EXPECT_NE(make_plan(selection).error().find("leave out --stack"), std::string::npos);
    selection.values.clear();
    selection.operations = {Operation::clone, Operation::unshare};
    EXPECT_NE(make_plan(selection).error().find("unshare has no stack; those with it are clone, "),
              std::string::npos);
    selection = {};
    selection.curve = *parse_curve("stack:16K..64M:7");
    // Those of a recorded run, which says of which curve they are.
    selection.cases = {"clone/none/stack:1M"};
    EXPECT_EQ(plan_of(selection).size(), 1U);
}

TEST(Plan, OfACurveJoinsSeveralKindsByTheOneWayThatTakesThem) {
    Selection selection;
    selection.curve = *parse_curve("parallel:1..32");
    selection.operations = {Operation::setns};
    selection.sets = {Kind::net | Kind::pid};
    for (const Case& one : plan_of(selection))
        EXPECT_TRUE(to_string(one).starts_with("setns/NEWNET-NEWPID/via:pidfd"));
}

}  // namespace
}  // namespace nsb::run
