// What is made of the tables (*.def).
#include <gtest/gtest.h>

#include <set>

#include "core/case.h"
#include "core/greeting.h"

namespace nsb {
namespace {

template <typename Table, typename NameOf>
void expect_distinct(const Table& table, NameOf name_of) {
    std::set<std::string_view> names;
    for (const auto& entry : table) EXPECT_TRUE(names.insert(name_of(entry)).second) << name_of(entry);
}

TEST(Tables, NameEachEntryOnce) {
    expect_distinct(kPhaseTable, [](const PhaseInfo& phase) { return phase.name; });
    expect_distinct(kOperations, [](const OperationInfo& operation) { return operation.name; });
    expect_distinct(protocol::kCallNames, [](const char* call) { return std::string_view(call); });
}

TEST(Tables, OfAnOperationHaveAKeyOnce) {
    for (const OperationInfo& operation : kOperations) {
        std::set<std::string_view> keys;
        for (std::size_t i = 0; i < kParameters; ++i) {
            if (!operation.parameters.contains(static_cast<Parameter>(i))) continue;
            EXPECT_TRUE(keys.insert(kParameterTable[i].key).second) << operation.name;
        }
    }
}

TEST(Tables, NumberChoicesAsTheirEnumerators) {
    const auto choice = [](Parameter parameter, auto value) {
        return info(parameter).choices()[static_cast<std::size_t>(value)];
    };
    EXPECT_EQ(choice(Parameter::by, By::unshare), "unshare");
    EXPECT_EQ(choice(Parameter::by, By::nspawn), "nspawn");
    EXPECT_EQ(choice(Parameter::mount_via, MountVia::fsmount), "fsmount");
    EXPECT_EQ(info(Parameter::by).choices().size(), 5U);
    EXPECT_EQ(info(Parameter::by).high, 4U);
    EXPECT_EQ(info(Parameter::twin).choices().size(), 2U);
    EXPECT_TRUE(info(Parameter::stack).choices().empty());
}

TEST(Tables, SayWhichSystemCallACaseIsAbout) {
    const auto call = [](const char* id) { return parse_case(id)->syscall(); };
    EXPECT_EQ(call("clone3/NEWPID/stack:1M"), "clone3");
    EXPECT_EQ(call("unshare/NEWTIME"), "unshare");
    EXPECT_EQ(call("setns/NEWPID/via:pidfd"), "setns");
    EXPECT_EQ(call("proc_remount/NEWNS-NEWPID/stack:1M"), "mount");
    EXPECT_EQ(call("proc_remount/NEWNS-NEWPID/stack:1M/via:fsmount"), "fsmount");
    EXPECT_EQ(call("userns_map/NEWUSER"), "write");
    EXPECT_EQ(call("container/NEWPID"), "clone");
    EXPECT_EQ(call("container/NEWPID-NEWTIME"), "clone3");
    EXPECT_EQ(call("container/NEWNS/mntns:empty"), "clone3");
    EXPECT_EQ(call("container/NEWNS/mntns:fsmount"), "clone");
    EXPECT_EQ(call("runtime/NEWNS-NEWPID/by:crun"), "execve");
    EXPECT_EQ(call("mount_ns/NEWNS/via:opentree"), "open_tree");
    EXPECT_EQ(call("mount_ns/NEWNS/via:empty"), "clone3");
    EXPECT_EQ(call("cgroup/none/via:into"), "clone3");
    EXPECT_EQ(call("mountinfo/none/via:proc"), "read");
}

TEST(Hash, TellsApartWhatReadsTheSameInARow) {
    const auto of = [](std::initializer_list<std::string_view> texts) {
        protocol::Hash hash;
        for (const std::string_view text : texts) hash.add(text);
        return hash.value();
    };
    EXPECT_EQ(of({"mount", "unmount"}), of({"mount", "unmount"}));
    EXPECT_NE(of({"mount", "unmount"}), of({"unmount", "mount"}));
    EXPECT_NE(of({"ab", "c"}), of({"a", "bc"}));
    EXPECT_NE(of({"a", ""}), of({"", "a"}));
}

}  // namespace
}  // namespace nsb
