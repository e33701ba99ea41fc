#include "run/plan.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "run/limits.h"

namespace nsb::run {
namespace {

std::set<std::string> ids(const Selection& selection) {
    std::set<std::string> ids;
    const auto plan = make_plan(selection);
    EXPECT_TRUE(plan) << plan.error();
    if (plan) {
        for (const Case& c : *plan) EXPECT_TRUE(ids.insert(to_string(c)).second) << to_string(c);
    }
    return ids;
}

TEST(Plan, HasWhatTheDesignSays) {
    // 256 sets; 7 more stacks for none, 8 kinds and all; unshare; setns by two ways; proc_remount at 8
    // stacks.
    const auto plan = ids({});
    EXPECT_EQ(plan.size(), 256U + 7 * 10 + 256 + 16 + 8);
    for (const char* id :
         {"clone/none/stack:64M", "clone/NEWPID/stack:16K", "unshare/none", "setns/NEWNET/via:nsfd",
          "setns/NEWUSER/via:pidfd", "proc_remount/NEWNS-NEWPID/stack:8M",
          "clone/NEWCGROUP-NEWIPC-NEWNET-NEWNS-NEWPID-NEWTIME-NEWUSER-NEWUTS/stack:16K"}) {
        EXPECT_TRUE(plan.contains(id)) << id;
    }
}

TEST(Plan, QuickIsEachKindAloneByEachOperation) {
    Selection selection;
    selection.extent = Extent::quick;
    const auto plan = ids(selection);
    EXPECT_EQ(plan.size(), 9U + 9 + 8 + 1);
    for (const char* id : {"clone/none/stack:1M", "clone/NEWPID/stack:1M", "unshare/none", "unshare/NEWUSER",
                           "setns/NEWNET/via:nsfd", "proc_remount/NEWNS-NEWPID/stack:1M"}) {
        EXPECT_TRUE(plan.contains(id)) << id;
    }
    selection.filter = "NEWPID";
    EXPECT_EQ(ids(selection),
              (std::set<std::string>{"clone/NEWPID/stack:1M", "unshare/NEWPID", "setns/NEWPID/via:nsfd",
                                     "proc_remount/NEWNS-NEWPID/stack:1M"}));
    selection.filter.reset();
    selection.operations = {Operation::clone};
    selection.sets = {Kind::pid, Kind::pid | Kind::net};
    selection.values = {{"stack", {"64K"}}};
    EXPECT_EQ(ids(selection), std::set<std::string>{"clone/NEWPID/stack:64K"});
    selection = {};
    selection.extent = Extent::quick;
    selection.operations = {Operation::runtime};
    EXPECT_EQ(ids(selection).size(), 5U);
    selection.cases = {"unshare/NEWPID"};
    EXPECT_FALSE(make_plan(selection));
}

TEST(Plan, NarrowsByOperationSetAndFilterTogether) {
    Selection selection;
    selection.operations = {Operation::clone, Operation::unshare};
    selection.sets = {KindSet(Kind::pid)};
    selection.filter = "stack:1M$|unshare";
    EXPECT_EQ(ids(selection), (std::set<std::string>{"clone/NEWPID/stack:1M", "unshare/NEWPID"}));
}

TEST(Plan, FindsAnExpressionInTheIdOrInTheIdWithASlashBehindIt) {
    Selection selection;
    selection.filter = "/NEWPID/";
    const auto found = ids(selection);
    EXPECT_EQ(found.size(), 8U + 1 + 2);
    for (const char* id : {"clone/NEWPID/stack:1M", "unshare/NEWPID", "setns/NEWPID/via:pidfd"})
        EXPECT_TRUE(found.contains(id)) << id;
    selection.filter = "^unshare/NEWPID$";
    EXPECT_EQ(ids(selection), std::set<std::string>{"unshare/NEWPID"});
}

TEST(Plan, ReplacesValuesWhereAnOperationHasThem) {
    Selection selection;
    selection.operations = {Operation::clone, Operation::setns};
    selection.sets = {KindSet(Kind::net)};
    selection.values = {{"stack", {"16K", "2M"}}, {"via", {"pidfd"}}, {"touch", {"all"}}};
    EXPECT_EQ(ids(selection),
              (std::set<std::string>{"clone/NEWNET/stack:16K/touch:all", "clone/NEWNET/stack:2M/touch:all",
                                     "setns/NEWNET/via:pidfd"}));
}

TEST(Plan, ReachesSeveralKindsBySetnsWhenBothAreNamed) {
    Selection selection;
    selection.sets = {Kind::net | Kind::pid};
    EXPECT_EQ(ids(selection),
              (std::set<std::string>{"clone/NEWNET-NEWPID/stack:1M", "unshare/NEWNET-NEWPID"}));
    selection.operations = {Operation::setns};
    EXPECT_EQ(ids(selection), (std::set<std::string>{"setns/NEWNET-NEWPID/via:pidfd"}));
}

TEST(Plan, HasContainersAndRuntimesWhereTheyAreNamed) {
    Selection selection;
    selection.operations = {Operation::container, Operation::runtime};
    EXPECT_EQ(ids(selection),
              (std::set<std::string>{"container/NEWCGROUP-NEWIPC-NEWNET-NEWNS-NEWPID-NEWUTS",
                                     "runtime/NEWCGROUP-NEWIPC-NEWNET-NEWNS-NEWPID-NEWUTS/by:unshare",
                                     "runtime/NEWCGROUP-NEWIPC-NEWNET-NEWNS-NEWPID-NEWUTS/by:bwrap",
                                     "runtime/NEWCGROUP-NEWIPC-NEWNET-NEWNS-NEWPID-NEWUTS/by:crun",
                                     "runtime/NEWCGROUP-NEWIPC-NEWNET-NEWNS-NEWPID-NEWUTS/by:runc",
                                     "runtime/NEWCGROUP-NEWIPC-NEWNET-NEWNS-NEWPID-NEWUTS/by:nspawn"}));
    selection.values = {{"by", {"bwrap", "runc"}}};
    selection.sets = {Kind::mnt | Kind::pid, Kind::uts};
    EXPECT_EQ(ids(selection),
              (std::set<std::string>{"container/NEWNS-NEWPID", "container/NEWUTS",
                                     "runtime/NEWNS-NEWPID/by:bwrap", "runtime/NEWNS-NEWPID/by:runc"}));
    selection.values = {{"by", {"docker"}}};
    EXPECT_FALSE(make_plan(selection));
}

TEST(Plan, FindsASetBetweenSlashesAlsoAtTheEndOfAnId) {
    Selection selection;
    selection.operations = {Operation::unshare, Operation::setns};
    selection.filter = "/NEWPID/";
    EXPECT_EQ(ids(selection),
              (std::set<std::string>{"unshare/NEWPID", "setns/NEWPID/via:nsfd", "setns/NEWPID/via:pidfd"}));
    selection.filter = "^unshare/NEWPID$";
    EXPECT_EQ(ids(selection), (std::set<std::string>{"unshare/NEWPID"}));
}

TEST(Plan, TakesAFilterUpToItsLimit) {
    Selection selection;
    selection.filter = std::string(kLongestFilter, '.');
    EXPECT_EQ(make_plan(selection).error().find("no case matches"), 0U);
    selection.filter = std::string(kLongestFilter + 1, '.');
    EXPECT_EQ(make_plan(selection).error(), "a filter of 1001 bytes: at most 1000 are taken");
}

TEST(Plan, EndsWithAnyFilter) {
    Selection selection;
    for (const char* const filter : {"((((((((((a*)*)*)*)*)*)*)*)*)*)*Q", ".*.*.*.*.*.*.*.*x"}) {
        selection.filter = filter;
        EXPECT_NE(make_plan(selection).error().find("in too many ways"), std::string::npos) << filter;
    }
    for (const char* const filter :
         {"((((((((((((((((((((()*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*)*x", "((){900}.)*x", "((){9000}.)*x",
          "(){30000}x", "(|){14}x", "(|){30}(){3000}x"}) {
        selection.filter = filter;
        EXPECT_FALSE(make_plan(selection)) << filter << ", which no id fits";
    }
    for (const auto& [open, close] : {std::pair{"(", ")"}, {"(?:", ")*"}, {"(?=", ")"}}) {
        const std::size_t times = kLongestFilter / (std::strlen(open) + std::strlen(close));
        selection.filter = "";
        for (std::size_t i = 0; i < times; ++i) *selection.filter += open;
        for (std::size_t i = 0; i < times; ++i) *selection.filter += close;
        const auto made = make_plan(selection);
        EXPECT_TRUE(made || made.error().starts_with("filter '")) << open;
    }
}

TEST(Plan, TakesWhatIsUsualInFilters) {
    Selection selection;
    for (const char* const filter :
         {"^(clone|unshare)/(NEW[A-Z]+-?)+/.*1M$", R"((NEW)[A-Z]*-\1PID)", "NEW(?=PID)", R"(\bNEW\w{3}\b)",
          "stack:[[:digit:]]+[KM]?$", "[^/]+/none/.+"}) {
        selection.filter = filter;
        EXPECT_TRUE(make_plan(selection)) << filter;
    }
}

TEST(Plan, HasALimit) {
    Selection selection;
    for (const char* const key : {"mounts", "fds", "procs"}) {
        for (int value = 0; value < 60; ++value) selection.values[key].push_back(std::to_string(value));
    }
    EXPECT_EQ(make_plan(selection).error(),
              "more than 200000 cases to choose from: fewer values, sets or operations");
    selection.filter = "NEWPID/stack:1M/mounts:1/fds:1/procs:1$";
    EXPECT_FALSE(make_plan(selection)) << "what a filter would leave is made, too";
    selection.values.erase("procs");
    selection.operations = {Operation::clone};
    selection.sets = {Kind::pid};
    selection.filter.reset();
    EXPECT_EQ(make_plan(selection)->size(), 60U * 60 * 8);
}

TEST(Plan, SaysWhatIsWrong) {
    Selection selection;
    selection.filter = "(";
    EXPECT_NE(make_plan(selection).error().find("regular expression"), std::string::npos);
    selection.filter = "NOSUCH";
    EXPECT_NE(make_plan(selection).error().find("no case matches"), std::string::npos);
    selection = {};
    selection.values = {{"stak", {"1M"}}};
    EXPECT_NE(make_plan(selection).error().find("nearest: 'stack'"), std::string::npos);
    selection.values = {{"via", {"nsfs"}}};
    EXPECT_FALSE(make_plan(selection));
}

}  // namespace
}  // namespace nsb::run
