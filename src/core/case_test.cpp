#include "core/case.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <sched.h>

#include <regex>

namespace nsb {
namespace {

TEST(KindSet, HasTheKernelsFlags) {
    EXPECT_EQ(KindSet::all().flags(),
              static_cast<std::uint64_t>(CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS |
                                         CLONE_NEWPID | 0x80 | CLONE_NEWUSER | CLONE_NEWUTS));
    EXPECT_EQ(KindSet{}.flags(), 0U);
}

TEST(ParseSet, TakesNamesAndFlagsInAnyOrderAndCase) {
    EXPECT_EQ(to_string(*parse_set("pid,net")), "NEWNET-NEWPID");
    EXPECT_EQ(to_string(*parse_set("NewPid-NEWNET")), "NEWNET-NEWPID");
    EXPECT_EQ(to_string(*parse_set("mnt")), "NEWNS");
    EXPECT_EQ(to_string(*parse_set("none")), "none");
    EXPECT_EQ(*parse_set("all"), KindSet::all());
}

TEST(ParseSet, NamesTheNearestKind) {
    EXPECT_NE(parse_set("nett").error().find("nearest: 'net'"), std::string::npos);
    EXPECT_FALSE(parse_set(""));
    EXPECT_FALSE(parse_set("pid,"));
}

TEST(CaseId, IsStableAndNeedsNoQuoting) {
    EXPECT_EQ(to_string(Case::of(Operation::clone, Kind::pid)), "clone/NEWPID/stack:1M");
    EXPECT_EQ(to_string(Case::of(Operation::clone, {}).with(Parameter::stack, 65536)),
              "clone/none/stack:64K");
    EXPECT_EQ(to_string(Case::of(Operation::clone, Kind::pid).with(Parameter::spawn, 1)),
              "clone/NEWPID/stack:1M/spawn:vm");
    EXPECT_EQ(to_string(Case::of(Operation::setns, Kind::net)), "setns/NEWNET/via:nsfd");
    EXPECT_EQ(
        to_string(Case::of(Operation::proc_remount, Kind::mnt | Kind::pid).with(Parameter::stack, 8U << 20U)),
        "proc_remount/NEWNS-NEWPID/stack:8M");
}

TEST(CaseId, NamesTheRuntime) {
    const Case crun = Case::of(Operation::runtime, Kind::mnt | Kind::pid)
                          .with(Parameter::by, static_cast<std::uint64_t>(By::crun));
    EXPECT_EQ(to_string(crun), "runtime/NEWNS-NEWPID/by:crun");
    EXPECT_EQ(parse_case("runtime/NEWNS-NEWPID/by:crun"), crun);
    EXPECT_NE(parse_case("runtime/NEWNS-NEWPID/by:crum").error().find("'crun'"), std::string::npos);
    EXPECT_FALSE(parse_case("runtime/NEWPID/by:crun"));
}

TEST(Base, OfARuntimeIsOurContainerOfTheSameSet) {
    const Case crun = *parse_case("runtime/NEWNS-NEWPID-NEWUTS/by:crun");
    EXPECT_EQ(to_string(*crun.base()), "container/NEWNS-NEWPID-NEWUTS");
    EXPECT_EQ(to_string(*crun.through_userns().base()), "container/NEWNS-NEWPID-NEWUSER-NEWUTS");
    EXPECT_EQ(to_string(*crun.base()->base()), "container/none");
}

TEST(Phases, AreThoseThatTheSetHasTheKindsFor) {
    const auto names = [](const char* id) {
        std::string text;
        for (const Phase phase : parse_case(id)->phases()) text += std::string(info(phase).name) + ' ';
        return text;
    };
    EXPECT_EQ(names("container/none"), "start create ready exec exit total ");
    EXPECT_EQ(names("container/NEWNS"), "start create ready root pivot exec exit total ");
    EXPECT_EQ(names("container/NEWPID-NEWUTS"), "start create ready hostname exec exit total ");
    EXPECT_EQ(names("container/NEWNET-NEWNS-NEWPID-NEWUSER"),
              "start create ready maps root proc lo pivot exec exit total drain ");
    EXPECT_EQ(names("runtime/NEWNET-NEWNS-NEWPID/by:bwrap"), "start load exit total cpu ");
    EXPECT_EQ(names("mount_ns/NEWNS/via:empty"), "create enter exit total ");
    EXPECT_EQ(names("mountinfo/none/via:statmount"), "read ");
}

TEST(Case, HasOneBaseForAllWaysToMounts) {
    EXPECT_EQ(to_string(*parse_case("container/NEWNS-NEWPID/mntns:opentree")->base()), "container/none");
}

TEST(Phases, AreThoseOfTheirParametersChoices) {
    const auto has = [](const char* id, Phase phase) { return parse_case(id)->takes_time_of(phase); };
    EXPECT_TRUE(has("cgroup/none/via:migrate", Phase::migrate));
    EXPECT_FALSE(has("cgroup/none/via:into", Phase::migrate));
    EXPECT_TRUE(has("veth/NEWNET/made:moved", Phase::move));
    EXPECT_FALSE(has("veth/NEWNET/made:inside", Phase::move));
    EXPECT_TRUE(has("container/NEWNS/mntns:unshare", Phase::pivot));
    EXPECT_FALSE(has("container/NEWNS/mntns:opentree", Phase::pivot));
}

TEST(CaseId, ParsesBackForEverySetAndOperation) {
    const std::regex plain("[A-Za-z0-9/:._-]+");
    for (const OperationInfo& operation : kOperations) {
        for (int bits = 0; bits < KindSet::kCount; ++bits) {
            const KindSet set(static_cast<std::uint8_t>(bits));
            if (!operation.takes(set)) continue;
            const Case c = Case::of(operation.operation, set);
            EXPECT_TRUE(std::regex_match(to_string(c), plain)) << to_string(c);
            EXPECT_EQ(parse_case(to_string(c)), c);
        }
    }
}

TEST(CaseId, RefusesWhatNoCaseHas) {
    for (const char* id : {"", "clone", "clone/NEWPID/stack", "clone/NEWPID/stack:1", "clone/NEWPID/via:nsfd",
                           "proc_remount/NEWPID/stack:1M", "setns/none/via:nsfd", "colne/none/stack:1M"}) {
        EXPECT_FALSE(parse_case(id)) << id;
    }
}

TEST(ParseValue, HoldsStacksToWhatAKernelCanMap) {
    EXPECT_EQ(parse_value(Parameter::stack, "16K"), 16384U);
    for (const char* text : {"0", "1", "3.5K", "1T", "17000", "4K"}) {
        EXPECT_FALSE(parse_value(Parameter::stack, text)) << text;
    }
}

TEST(Case, HasDrainOnlyWhereWorkersTearDown) {
    const auto has_drain = [](KindSet set) {
        return Case::of(Operation::clone, set).phases().back() == Phase::drain;
    };
    EXPECT_TRUE(has_drain(Kind::net));
    EXPECT_TRUE(has_drain(Kind::ipc | Kind::uts));
    EXPECT_TRUE(has_drain(Kind::user));
    EXPECT_FALSE(has_drain(Kind::pid | Kind::mnt | Kind::uts | Kind::cgroup | Kind::time));
}

TEST(Case, IsComparedWithNoneOfTheSameParameters) {
    const Case c = Case::of(Operation::clone, Kind::pid).with(Parameter::stack, 65536);
    EXPECT_EQ(to_string(*c.base()), "clone/none/stack:64K");
    EXPECT_FALSE(Case::of(Operation::clone, {}).base());
    EXPECT_FALSE(Case::of(Operation::setns, Kind::pid).base());
    EXPECT_EQ(*Case::of(Operation::clone, {}).with(Parameter::twin, 1).base(),
              Case::of(Operation::clone, {}));
}

TEST(Case, TimeNamespacesAreClonedByClone3) {
    EXPECT_EQ(Case::of(Operation::clone, Kind::time | Kind::pid).syscall(), "clone3");
    EXPECT_EQ(Case::of(Operation::clone, Kind::pid).syscall(), "clone");
}

TEST(Case, AnOrdinaryUserGoesThroughAUserNamespace) {
    EXPECT_EQ(to_string(Case::of(Operation::clone, Kind::pid).through_userns()),
              "clone/NEWPID-NEWUSER/stack:1M");
    EXPECT_EQ(to_string(Case::of(Operation::clone, {}).through_userns()), "clone/none/stack:1M");
    EXPECT_EQ(to_string(Case::of(Operation::setns, Kind::net).through_userns()), "setns/NEWNET/via:nsfd");
}

TEST(Case, AnOrdinaryUsersBaseHasTheUserNamespaceToo) {
    const KindSet user = base_set(true);
    const auto base = [&](std::string_view id) { return parse_case(id)->through_userns().base(user); };
    EXPECT_EQ(to_string(*base("clone/NEWPID/stack:64K")), "clone/NEWUSER/stack:64K");
    EXPECT_EQ(to_string(*base("unshare/NEWNET-NEWUSER")), "unshare/NEWUSER");
    EXPECT_FALSE(base("clone/NEWUSER/stack:1M"));
    EXPECT_FALSE(base("clone/none/stack:1M"));
    EXPECT_FALSE(base("setns/NEWPID/via:nsfd"));
    EXPECT_FALSE(base("userns_map/NEWPID-NEWUSER")) << "nor has it one with all rights";
    // A twin's base is the case itself, a runtime's the container of the same set.
    EXPECT_EQ(to_string(*parse_case("unshare/NEWPID-NEWUSER")->with(Parameter::twin, 1).base(user)),
              "unshare/NEWPID-NEWUSER");
    EXPECT_EQ(to_string(*base("runtime/NEWNS-NEWPID/by:crun")), "container/NEWNS-NEWPID-NEWUSER");
    EXPECT_EQ(to_string(*Case::of(Operation::clone, Kind::user).base(base_set(false))),
              "clone/none/stack:1M");
}

TEST(Case, HasConditionsUnlessAnotherProgramDoesIt) {
    const auto c = parse_case("clone/NEWNS/stack:1M/mounts:1000/rss:64M/depth:3");
    ASSERT_TRUE(c);
    EXPECT_EQ(c->value(Parameter::mounts), 1000U);
    EXPECT_EQ(to_string(*c), "clone/NEWNS/stack:1M/mounts:1000/rss:64M/depth:3");
    EXPECT_TRUE(c->has_condition());
    EXPECT_FALSE(Case::of(Operation::clone, Kind::mnt).has_condition());
    EXPECT_EQ(to_string(parse_case("clone/NEWNS/stack:1M/mounts:0").value()), "clone/NEWNS/stack:1M");
    for (const OperationInfo& operation : kOperations) {
        for (const ConditionInfo& condition : kConditions) {
            EXPECT_TRUE(is_condition(condition.parameter));
            EXPECT_EQ(operation.parameters.contains(condition.parameter),
                      !operation.traits.contains(Trait::sandboxed));
        }
    }
    EXPECT_FALSE(is_condition(Parameter::stack));
    EXPECT_FALSE(parse_case("runtime/NEWNS-NEWPID/by:crun/mounts:3"));
}

TEST(Case, IsComparedUnderTheSameConditions) {
    EXPECT_EQ(to_string(*parse_case("clone/NEWPID/stack:64K/fds:10")->base()), "clone/none/stack:64K/fds:10");
    EXPECT_EQ(to_string(*parse_case("clone/NEWPID/stack:64K/fds:10")->through_userns().base(base_set(true))),
              "clone/NEWUSER/stack:64K/fds:10");
}

TEST(Case, HasNoDrainWhereConditionsLeaveNamespaces) {
    const auto has_drain = [](const char* id) {
        const std::vector<Phase> phases = parse_case(id)->phases();
        return std::ranges::find(phases, Phase::drain) != phases.end();
    };
    EXPECT_TRUE(has_drain("clone/NEWNET/stack:1M/mounts:9"));
    for (const char* const id : {"clone/NEWNET/stack:1M/netns:1", "clone/NEWNET/stack:1M/dying:1",
                                 "clone/NEWUSER/stack:1M/depth:1", "clone/NEWIPC/stack:1M/pidns:1"}) {
        EXPECT_FALSE(has_drain(id)) << id;
    }
}

}  // namespace
}  // namespace nsb
