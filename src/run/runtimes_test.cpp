#include "run/runtimes.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/text.h"

namespace nsb::run {
namespace {

constexpr KindSet kUsual = KindSet::all() - (Kind::time | Kind::user);

std::string line(By by, KindSet set) {
    const auto command = make_command(by, set, "");
    if (!command) return command.error();
    std::string line;
    for (const std::string& word : command->arguments) line += (line.empty() ? "" : " ") + word;
    return line;
}

TEST(RuntimeCommand, IsTheOrdinaryCommandLine) {
    EXPECT_EQ(line(By::unshare, kUsual),
              "--cgroup --ipc --net --mount --pid --uts --fork --mount-proc --root=rootfs /program");
    EXPECT_EQ(
        line(By::bwrap, kUsual),
        "--unshare-cgroup --unshare-ipc --unshare-net --unshare-pid --unshare-uts --hostname nsbench --bind "
        "rootfs / --proc /proc --as-pid-1 /program");
    EXPECT_EQ(line(By::crun, kUsual), "run nsbench");
    EXPECT_EQ(line(By::runc, kUsual), "run nsbench");
    EXPECT_EQ(
        line(By::nspawn, kUsual),
        "--quiet --directory=rootfs --register=no --keep-unit --pipe --private-network --hostname=nsbench "
        "/program");
}

TEST(RuntimeCommand, MakesExactlyTheNamespacesOfTheSet) {
    EXPECT_EQ(line(By::unshare, Kind::mnt | Kind::pid),
              "--mount --pid --fork --mount-proc --root=rootfs /program");
    EXPECT_EQ(
        line(By::bwrap, Kind::mnt | Kind::pid | Kind::user),
        "--unshare-pid --unshare-user --uid 0 --gid 0 --bind rootfs / --proc /proc --as-pid-1 /program");
    const auto nspawn = make_command(By::nspawn, Kind::mnt | Kind::pid, "");
    EXPECT_EQ(nspawn->environment,
              (std::vector<std::string>{"SYSTEMD_NSPAWN_USE_CGNS=0", "SYSTEMD_NSPAWN_SHARE_NS_IPC=1",
                                        "SYSTEMD_NSPAWN_SHARE_NS_UTS=1"}));
}

TEST(RuntimeCommand, OfAnOciRuntimeIsItsConfig) {
    const auto config = [](KindSet set, const std::string& cgroup) {
        return nlohmann::json::parse(make_command(By::crun, set, cgroup)->config);
    };
    for (int bits = 0; bits < KindSet::kCount; ++bits) {
        const KindSet set(static_cast<std::uint8_t>(bits));
        const auto json = config(set, "");
        EXPECT_EQ(json.at("linux").at("namespaces").size(), static_cast<std::size_t>(set.size()));
        EXPECT_EQ(json.contains("hostname"), set.contains(Kind::uts));
        EXPECT_EQ(json.at("linux").contains("uidMappings"), set.contains(Kind::user));
        EXPECT_FALSE(json.at("linux").contains("cgroupsPath"));
        EXPECT_EQ(json.at("process").at("args").at(0), "/program");
    }
    EXPECT_EQ(config(kUsual, "nsbench-1").at("linux").at("cgroupsPath"), "/nsbench-1");
}

TEST(RuntimeCommand, NamesTheKindThatThereIsNoOptionFor) {
    EXPECT_EQ(line(By::bwrap, KindSet::all()), "it has no option for NEWTIME");
    EXPECT_EQ(line(By::nspawn, KindSet::all()), "it has no option for NEWTIME");
    EXPECT_TRUE(make_command(By::unshare, KindSet::all(), ""));
}

TEST(Runtimes, AreMissingByNameOrHaveAVersion) {
    Runtimes runtimes = Runtimes::find();
    ASSERT_EQ(runtimes.all().size(), kRuntimes);
    std::size_t number = 0;
    for (const Runtime& runtime : runtimes.all()) EXPECT_EQ(static_cast<std::size_t>(runtime.by), number++);
    for (const Runtime& runtime : runtimes.all()) {
        const Case c =
            Case::of(Operation::runtime, kUsual).with(Parameter::by, static_cast<std::uint64_t>(runtime.by));
        const auto job = runtimes.job(c, "nsbench-1");
        if (runtime.path.empty()) {
            ASSERT_FALSE(job);
            EXPECT_EQ(job.error().error, ENOENT);
            EXPECT_NE(job.error().reason.find("apt-get install " + runtime.package), std::string::npos);
        } else {
            ASSERT_TRUE(job) << job.error().reason;
            EXPECT_FALSE(runtime.version.empty()) << runtime.path;
            EXPECT_STREQ(job->command, runtime.path.c_str());
            EXPECT_TRUE(std::string_view(job->environment).starts_with("PATH="));
        }
    }
}

}  // namespace
}  // namespace nsb::run
