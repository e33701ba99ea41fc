// What a process that measures needs, by the tables. What was seen to be missed is in bench/README.md.
#include "core/capabilities.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

#include <fstream>
#include <map>
#include <set>

#include "core/case.h"
#include "core/text.h"

namespace nsb {
namespace {

using protocol::Call;

constexpr Capabilities bit(unsigned number) {
    return Capabilities{1} << number;
}

Capabilities of(std::string_view id, MeasuredIn where = {}) {
    return needed(*parse_case(id), where);
}

std::string names(std::string_view id, MeasuredIn where = {}) {
    return names_of(of(id, where));
}

TEST(Capabilities, HaveTheKernelsNames) {
    EXPECT_EQ(names_of(0), "");
    EXPECT_EQ(names_of(bit(CAP_SYS_ADMIN)), "CAP_SYS_ADMIN");
    EXPECT_EQ(names_of(bit(CAP_CHOWN) | bit(CAP_SETPCAP) | bit(CAP_CHECKPOINT_RESTORE)),
              "CAP_CHOWN, CAP_SETPCAP and CAP_CHECKPOINT_RESTORE");
    EXPECT_EQ(names_of(bit(63)), "63") << "of a later kernel";
    EXPECT_EQ(list_of(kAllCapabilities).size(), 64U);
}

TEST(Capabilities, OfACall) {
    const KindSet mapped = Kind::mnt | Kind::user;
    EXPECT_EQ(needed(Call::clone, Kind::mnt), bit(CAP_SYS_ADMIN));
    EXPECT_EQ(needed(Call::clone, mapped), 0U);
    EXPECT_EQ(needed(Call::setns, Kind::uts), bit(CAP_SYS_ADMIN));
    EXPECT_EQ(needed(Call::setns, Kind::mnt), bit(CAP_SYS_ADMIN) | bit(CAP_SYS_CHROOT));
    EXPECT_EQ(needed(Call::setns, mapped), 0U);
    EXPECT_EQ(needed(Call::lo_up, Kind::net), bit(CAP_NET_ADMIN));
    EXPECT_EQ(needed(Call::write_uid_map, mapped), bit(CAP_SETFCAP));
    EXPECT_EQ(needed(Call::write_gid_map, mapped), 0U);
    EXPECT_EQ(needed(Call::mkdir, Kind::mnt), 0U);
    EXPECT_EQ(needed(Call::drop_bound, {}), bit(CAP_SETPCAP));
}

TEST(Capabilities, OfACaseAreThoseOfItsCalls) {
    EXPECT_EQ(names("clone/none/stack:1M"), "");
    EXPECT_EQ(names("clone/NEWUSER/stack:1M"), "");
    EXPECT_EQ(names("clone/NEWPID/stack:1M"), "CAP_SYS_ADMIN");
    EXPECT_EQ(names("unshare/NEWNET"), "CAP_SYS_ADMIN");
    EXPECT_EQ(names("unshare/NEWNET-NEWUSER"), "");
    EXPECT_EQ(names("setns/NEWNS/via:nsfd"), "CAP_SYS_CHROOT and CAP_SYS_ADMIN");
    EXPECT_EQ(names("setns/NEWUSER/via:nsfd"), "");
    EXPECT_EQ(names("userns_map/NEWUSER"), "CAP_SETFCAP");
    EXPECT_EQ(names("container/none"), "");
    EXPECT_EQ(names("container/NEWNET-NEWPID"), "CAP_NET_ADMIN and CAP_SYS_ADMIN");
    EXPECT_EQ(names("container/NEWNS-NEWPID"), "CAP_SYS_ADMIN");
    EXPECT_EQ(names("container/NEWNS-NEWPID", {false, true}), "CAP_SYS_CHROOT and CAP_SYS_ADMIN");
    EXPECT_EQ(names("container/NEWNS-NEWPID/mntns:empty"), "CAP_SYS_CHROOT and CAP_SYS_ADMIN");
    EXPECT_EQ(names("container/NEWNS-NEWUSER"), "CAP_SETFCAP");
    EXPECT_EQ(names("mountinfo/none/via:proc"), "");
    EXPECT_EQ(of("runtime/NEWNS-NEWPID/by:crun"), kAllCapabilities);
}

TEST(Capabilities, OfABlockInANamespaceOfItsOwnAreNeededBesideAUserNamespace) {
    EXPECT_EQ(names("mount_ns/NEWNS-NEWUSER/via:clone"), "CAP_SYS_CHROOT and CAP_SYS_ADMIN");
    EXPECT_EQ(names("veth/NEWNET-NEWUSER/made:inside"), "CAP_NET_ADMIN and CAP_SYS_ADMIN");
    // Through a user namespace it makes the maps of one as well.
    EXPECT_NE(of("veth/NEWNET-NEWUSER/made:inside", {true, false}) & bit(CAP_SETFCAP), 0U);
}

TEST(Capabilities, OfConditionsAreNeededBeside) {
    EXPECT_EQ(names("clone/none/stack:1M/mounts:10"), "CAP_SYS_ADMIN");
    EXPECT_EQ(names("clone/NEWUSER/stack:1M/netns:10"), "CAP_SYS_ADMIN and CAP_SYS_RESOURCE");
    EXPECT_EQ(names("clone/none/stack:1M/fds:10"), "CAP_SYS_RESOURCE");
    EXPECT_EQ(names("clone/none/stack:1M/depth:1"), "CAP_SETFCAP");
    EXPECT_EQ(names("clone/none/stack:1M/cgroups:1"), "CAP_DAC_OVERRIDE");
    EXPECT_EQ(names("clone/none/stack:1M/procs:10/rss:1M"), "");
}

TEST(Capabilities, OfConditionsThroughAUserNamespaceTakeAMapForMountsAlone) {
    const MeasuredIn through{true, false};
    for (const char* const mapped : {"mounts:10", "peers:10", "depth:1"})
        EXPECT_EQ(names(fmt::format("clone/NEWUSER/stack:1M/{}", mapped), through), "CAP_SETFCAP") << mapped;
    for (const char* const other : {"pidns:10", "procs:10", "rss:1M"})
        EXPECT_EQ(names(fmt::format("clone/NEWUSER/stack:1M/{}", other), through), "") << other;
    for (const char* const with_files : {"netns:10", "dying:10", "fds:10"})
        EXPECT_EQ(names(fmt::format("clone/NEWUSER/stack:1M/{}", with_files), through), "CAP_SYS_RESOURCE")
            << with_files;
}

/// Of the table of bench/README.md: by capability, the operations and sets that are missed without it.
std::map<std::string, std::set<std::string>> documented() {
    std::map<std::string, std::set<std::string>> rows;
    std::ifstream page(NSB_BENCH_README);
    bool is_there = false;
    for (std::string line; std::getline(page, line);) {
        if (line.starts_with("| without | nsbench does not measure |")) is_there = true;
        if (!is_there || !line.starts_with("| CAP_")) {
            if (is_there && line.empty()) break;
            continue;
        }
        const auto cells = split(line, "|");
        const std::string name(cells.at(1).substr(1, cells.at(1).size() - 2));
        for (std::size_t begin = 0; (begin = cells.at(2).find('`', begin)) != std::string_view::npos;) {
            const std::size_t end = cells.at(2).find('`', begin + 1);
            rows[name].emplace(cells.at(2).substr(begin + 1, end - begin - 1));
            begin = end + 1;
        }
        rows[name];
    }
    return rows;
}

/// What was tried for that table (scripts/faults/capabilities.py): each choice that an operation is there to
/// compare, of each kind alone, none, and mnt with pid.
std::map<std::string, std::set<std::string>> by_the_tables() {
    std::vector<KindSet> sets{{}, Kind::mnt | Kind::pid};
    for (const KindInfo& kind : kKinds) sets.emplace_back(kind.kind);
    std::map<std::string, std::set<std::string>> rows;
    for (const OperationInfo& operation : kOperations) {
        if (operation.traits.contains(Trait::sandboxed)) continue;
        for (const KindSet set : sets) {
            if (!operation.takes(set)) continue;
            const auto by = compared(operation.operation);
            const std::size_t choices = by ? info(*by).choices().size() : 1;
            for (std::size_t choice = 0; choice < choices; ++choice) {
                const Case usual = Case::of(operation.operation, set);
                for (const std::string& name : list_of(needed(by ? usual.with(*by, choice) : usual)))
                    rows[name].insert(fmt::format("{}/{}", operation.name, to_string(set)));
            }
        }
    }
    return rows;
}

TEST(Capabilities, OfTheTablesAreThoseThatWereSeenToBeMissed) {
    auto said = documented();
    auto known = by_the_tables();
    ASSERT_GE(said.size(), 5U) << NSB_BENCH_README;
    // Without CAP_SYS_ADMIN nsbench goes through a user namespace, and the page names no cases.
    EXPECT_TRUE(said["CAP_SYS_ADMIN"].empty());
    EXPECT_TRUE(known["CAP_SYS_ADMIN"].contains("clone/NEWPID"));
    said.erase("CAP_SYS_ADMIN");
    known.erase("CAP_SYS_ADMIN");
    for (const auto& [name, cases] : said) EXPECT_EQ(known[name], cases) << name;
    for (const auto& [name, cases] : known) EXPECT_EQ(said[name], cases) << name;
}

}  // namespace
}  // namespace nsb
