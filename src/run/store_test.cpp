#include "run/store.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "run/recorded.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::run {
namespace {

namespace fs = std::filesystem;

class StoreTest : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "nsbench-test-XXXXXX").native();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        info_.identity = {"20260101T000000Z-0", "6.1.0", TickClock::wall};
        info_.options.selection.operations = {Operation::clone};
        info_.options.selection.sets = {KindSet(Kind::pid), KindSet(Kind::net)};
        info_.options.selection.values = {{"stack", {"1M"}}};
        info_.options.seed = 7;
        info_.rounds = 3;
    }
    void TearDown() override { fs::remove_all(folder_); }

    void save(const fs::path& folder) {
        Series measured{Case::of(Operation::clone, Kind::pid), {}, {}};
        Sample sample{1, 5, true};
        sample.times[static_cast<std::size_t>(Phase::create)] = 33000;
        measured.samples.push_back(sample);
        Series failed{
            Case::of(Operation::clone, Kind::net), {}, protocol::Failure{protocol::Call::clone, ENOSPC}};
        const std::vector<const Series*> series{&measured, &failed};
        Store::create(folder).save(info_, make_rows(measured, nullptr, {}), series);
    }

    fs::path folder_;
    RunInfo info_;
};

TEST_F(StoreTest, GivesBackWhatItSaved) {
    save(folder_ / "run");
    const auto [store, recorded] = Store::reopen(folder_ / "run");
    EXPECT_EQ(recorded.info.options.seed, 7U);
    EXPECT_EQ(recorded.info.rounds, 3U);
    EXPECT_EQ(recorded.info.options.selection.sets, info_.options.selection.sets);
    EXPECT_EQ(recorded.info.options.selection.values, info_.options.selection.values);
    ASSERT_EQ(recorded.series.size(), 2U);
    EXPECT_EQ(recorded.series[0].measured, Case::of(Operation::clone, Kind::pid));
    ASSERT_EQ(recorded.series[0].samples.size(), 1U);
    EXPECT_TRUE(recorded.series[0].samples[0].counted);
    EXPECT_EQ(recorded.series[0].samples[0].block, 5U);
    EXPECT_DOUBLE_EQ(recorded.series[0].samples[0].time(Phase::create), 33000);
    ASSERT_TRUE(recorded.series[1].failure);
    EXPECT_EQ(recorded.series[1].failure->error, ENOSPC);
    EXPECT_EQ(recorded.series[1].failure->call, protocol::Call::clone);
}

TEST_F(StoreTest, LeavesNoTemporaryFiles) {
    // What a killed one leaves goes with the next, whether or not it came to write a run.json.
    const auto be_killed = [&] {
        std::ofstream(folder_ / ".part-0123abcd") << "half of a fi";
        fs::create_directory(folder_ / ".part-4567cdef");
    };
    be_killed();
    save(folder_);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 3);
    be_killed();
    Store::reopen(folder_);
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 3);
}

TEST_F(StoreTest, LeavesTheTemporaryFilesOfWhoIsWriting) {
    const Store writing = Store::create(folder_);
    std::ofstream(folder_ / ".part-0123abcd") << "half of a fi";
    EXPECT_THROW(Store::create(folder_), StoreError);
    EXPECT_TRUE(fs::exists(folder_ / ".part-0123abcd"));
}

TEST_F(StoreTest, GivesBackAnyBytes) {
    info_.arguments = {"--csv=b\xff.csv", "\xEF\xBF\xBD", "\xc3\xa4 is text, and so is \\xff"};
    info_.options.selection.filter = "\x80$";
    info_.environment = {{"kernel_command_line", "x=\xfe"}};
    info_.runtimes = {{By::crun, "crun", "crun", "/usr/bin/crun", "version \xff"}};
    const auto again = parse_run_json(run_json(info_), "run.json");
    ASSERT_TRUE(again);
    EXPECT_EQ(again->arguments, info_.arguments);
    EXPECT_EQ(again->options.selection.filter, info_.options.selection.filter);
    EXPECT_EQ(again->environment.front().value, "x=\xfe");
    EXPECT_EQ(run_json(info_).find_first_of("\xfe\xff"), std::string::npos);
}

TEST_F(StoreTest, AFileThatCannotBeWrittenCostsNoOther) {
    const Series measured{Case::of(Operation::clone, Kind::pid), {}, {}};
    const std::vector<const Series*> series{&measured};
    Store store = Store::create(folder_);
    fs::create_directory(folder_ / "run.json");
    EXPECT_THROW(store.save(info_, make_rows(measured, nullptr, {}), series), sys::SystemError);
    EXPECT_TRUE(fs::exists(folder_ / "samples.csv"));
    EXPECT_TRUE(fs::exists(folder_ / "results.csv"));
}

TEST_F(StoreTest, RefusesAFolderThatHoldsARunOrIsInUse) {
    {
        const Store first = Store::create(folder_);
        EXPECT_THROW(Store::create(folder_), StoreError);
    }
    save(folder_);
    EXPECT_THROW(Store::create(folder_), StoreError);
}

TEST_F(StoreTest, RefusesWhatIsNoRun) {
    EXPECT_THROW(Store::reopen(folder_ / "missing"), StoreError);
    EXPECT_THROW(Store::reopen(folder_), StoreError);
    std::ofstream(folder_ / "run.json") << "{\"schema_version\": 999}";
    EXPECT_THROW(Store::reopen(folder_), StoreError);
}

TEST_F(StoreTest, RefusesDamagedSamples) {
    save(folder_);
    fs::resize_file(folder_ / "samples.csv", fs::file_size(folder_ / "samples.csv") - 3);
    EXPECT_THROW(Store::reopen(folder_), StoreError);
    std::ofstream(folder_ / "samples.csv") << "run_id,case\nx,y\n";
    EXPECT_THROW(Store::reopen(folder_), StoreError);
}

TEST_F(StoreTest, KeepsWhatDisturbedTheRoundsThatARunHas) {
    for (const std::uint32_t round : {1U, 3U, 4U}) info_.marks.emplace_back().round = round;
    save(folder_);
    EXPECT_TRUE(fs::exists(folder_ / kRoundsCsv));
    const auto [store, recorded] = Store::reopen(folder_);
    ASSERT_EQ(recorded.info.marks.size(), 2U) << "killed before run.json was written, it has no fourth round";
    EXPECT_EQ(recorded.info.marks.back().round, 3U);
}

TEST_F(StoreTest, HasNoRoundsWhereNoSamplesCouldBeWritten) {
    info_.rounds = 0;
    info_.marks.emplace_back().round = 1;
    Store::create(folder_).save(info_, {}, {});
    fs::remove(folder_ / "samples.csv");
    EXPECT_TRUE(fs::exists(folder_ / "rounds.csv"));
    EXPECT_TRUE(Store::reopen(folder_).second.info.marks.empty());
}

TEST_F(StoreTest, TellsOfNoRoundsWhoseSamplesCouldNotBeWritten) {
    const auto told = [&] {
        return *parse_run_json(sys::read_file((folder_ / "run.json").native()).value(), "run.json");
    };
    const auto rounds = [&] { return told().rounds; };
    info_.repeat = Repeat{.number = 1, .count = 2, .complete = true};
    Store fresh = Store::create(folder_);
    fs::create_directory(folder_ / "samples.csv");
    EXPECT_THROW(fresh.save(info_, {}, {}), sys::SystemError);
    EXPECT_EQ(rounds(), 0U);
    EXPECT_FALSE(told().repeat->complete);
    fs::remove(folder_ / "samples.csv");
    fresh.save(info_, {}, {});
    EXPECT_EQ(rounds(), 3U);

    // Nor does one that goes on with a run that says nothing of lines.
    const std::string earlier = run_json(info_);
    std::ofstream(folder_ / "run.json") << earlier;
    fresh = Store::create(folder_ / "other");
    auto [store, recorded] = Store::reopen(folder_);
    fs::remove(folder_ / "samples.csv");
    fs::create_directory(folder_ / "samples.csv");
    recorded.info.rounds = 9;
    EXPECT_THROW(store.save(recorded.info, {}, {}), sys::SystemError);
    EXPECT_EQ(rounds(), 3U);
}

TEST_F(StoreTest, AFullDiskIsAnError) {
    EXPECT_THROW(sys::replace_file("/dev/full", "text"), std::runtime_error);
    EXPECT_THROW(sys::replace_file(folder_ / "no" / "such" / "folder", "text"), std::runtime_error);
}

}  // namespace
}  // namespace nsb::run
