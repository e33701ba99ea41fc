#include "run/samples_csv.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "core/test_samples.h"
#include "core/text.h"
#include "run/store.h"
#include "sys/test_folder.h"

namespace nsb::run {
namespace {

namespace fs = std::filesystem;

const Case kPid = Case::of(Operation::clone, Kind::pid);
const Case kUts = Case::of(Operation::clone, Kind::uts);

/// A run's folder of two cases, measured round by round.
class SamplesCsvTest : public sys::FolderTest {
  protected:
    SamplesCsvTest() {
        info_.identity = {"20260101T000000Z-0", "6.1.0", TickClock::wall};
        info_.options.selection.operations = {Operation::clone};
        info_.options.selection.sets = {kPid.set, kUts.set};
        info_.options.selection.values = {{"stack", {"1M"}}};
    }

    void measure(std::uint32_t round) {
        info_.rounds = round;
        for (Series& series : series_) {
            if (series.failure) continue;
            for (const bool counted : {false, true}) {
                Sample sample = alike({round, round, counted && round > 0}, 41000);
                sample.times[static_cast<std::size_t>(Phase::drain)] = 0;  // these cases have none
                series.samples.push_back(sample);
            }
        }
    }
    [[nodiscard]] std::vector<const Series*> all() const { return {series_.data(), &series_[1]}; }
    void save(Store& store) const { store.save_samples(info_, all()); }
    /// Takes the run up again.
    Store reopen() {
        auto [store, recorded] = Store::reopen(folder_);
        info_ = recorded.info;
        series_ = std::move(recorded.series);
        return std::move(store);
    }
    [[nodiscard]] std::string samples() const { return text_of(folder_ / kSamplesCsv); }
    [[nodiscard]] std::vector<std::string> lines() const {
        std::vector<std::string> all = split(samples(), "\n");
        if (all.back().empty()) all.pop_back();  // behind the last line's end
        return all;
    }
    /// All lines of the series, in whatever order they came.
    void expect_all() const {
        std::vector<std::string> found = lines();
        std::vector<std::string> expected = split(samples_csv(info_.identity, all()), "\n");
        expected.pop_back();
        EXPECT_EQ(found.front(), expected.front()) << "the header";
        std::ranges::sort(found);
        std::ranges::sort(expected);
        EXPECT_EQ(found, expected);
    }
    [[nodiscard]] ino_t number() const {
        struct stat status {};
        EXPECT_EQ(stat((folder_ / kSamplesCsv).c_str(), &status), 0);
        return status.st_ino;
    }

    RunInfo info_;
    std::vector<Series> series_{{kPid, {}, {}}, {kUts, {}, {}}};
};

TEST_F(SamplesCsvTest, GrowsByWhatCame) {
    Store store = Store::create(folder_);
    save(store);
    EXPECT_EQ(lines().size(), 1U) << "the header";
    const ino_t first = number();
    std::string before = samples();
    for (const std::uint32_t round : {0U, 1U, 2U}) {
        measure(round);
        save(store);
        EXPECT_TRUE(samples().starts_with(before)) << round;
        EXPECT_EQ(number(), first);
        before = samples();
        expect_all();
    }
    save(store);
    EXPECT_EQ(samples(), before) << "nothing came";
}

TEST_F(SamplesCsvTest, IsGoneOnWith) {
    {
        Store store = Store::create(folder_);
        measure(0);
        measure(1);
        save(store);
    }
    const std::string before = samples();
    const ino_t first = number();
    Store store = reopen();
    EXPECT_EQ(info_.sample_lines, 8U);
    measure(2);
    save(store);
    EXPECT_TRUE(samples().starts_with(before));
    EXPECT_EQ(number(), first);
    expect_all();
}

TEST_F(SamplesCsvTest, WhatAKilledRunLeftBehindRunJsonIsNoPartOfIt) {
    for (const char* const left : {"ha", "half a li\nne", "20260101T000000Z-0,6.1.0,wall"}) {
        fs::remove(folder_ / "run.json");
        for (Series& series : series_) series.samples = {};
        {
            Store store = Store::create(folder_);
            measure(1);
            save(store);
        }
        const std::string whole = samples();
        std::ofstream(folder_ / kSamplesCsv, std::ios::app) << left;
        Store store = reopen();
        EXPECT_EQ(series_[0].samples.size(), 2U);
        EXPECT_EQ(samples(), whole + left) << "nothing is written by reading";
        measure(2);
        save(store);
        EXPECT_TRUE(samples().starts_with(whole));
        expect_all();
        EXPECT_EQ(info_.sample_lines, 4U);
    }
}

TEST_F(SamplesCsvTest, ARoundThatRunJsonDoesNotKnowIsMeasuredAgain) {
    {
        Store store = Store::create(folder_);
        measure(1);
        save(store);
        fs::copy_file(folder_ / "run.json", folder_ / "earlier");
        measure(2);
        save(store);
    }
    fs::rename(folder_ / "earlier", folder_ / "run.json");  // as if it was killed between the two
    Store store = reopen();
    EXPECT_EQ(info_.rounds, 1U);
    EXPECT_EQ(series_[1].samples.size(), 2U);
    measure(2);
    measure(3);
    save(store);
    expect_all();
    EXPECT_EQ(lines().size(), 1U + 2 * 6U);
}

TEST_F(SamplesCsvTest, ThatIsShorterThanRunJsonSaysIsRefused) {
    {
        Store store = Store::create(folder_);
        measure(1);
        save(store);
    }
    const std::string whole = samples();
    put(folder_ / kSamplesCsv, whole.substr(0, whole.rfind('\n', whole.size() - 2) + 1));
    try {
        Store::reopen(folder_);
        FAIL() << "a line is missing";
    } catch (const StoreError& error) {
        EXPECT_EQ(
            error.what(),
            fmt::format("{}/samples.csv:5: the file ends before this line, and run.json says that it has 5",
                        folder_.native()));
    }
}

TEST_F(SamplesCsvTest, OfAnEarlierNsbenchIsReadWhole) {
    {
        Store store = Store::create(folder_);
        measure(1);
        save(store);
    }
    info_.sample_lines.reset();
    put(folder_ / "run.json", run_json(info_));
    Store store = reopen();
    EXPECT_EQ(series_[1].samples.size(), 2U);
    const ino_t first = number();
    measure(2);
    save(store);
    EXPECT_EQ(number(), first);
    expect_all();
    put(folder_ / "run.json", run_json(info_));
    std::ofstream(folder_ / kSamplesCsv, std::ios::app) << "half a li";
    EXPECT_THROW((void)reopen(), StoreError) << "nobody says how much of it is valid";
}

TEST_F(SamplesCsvTest, AFailureIsItsCasesLastLine) {
    {
        Store store = Store::create(folder_);
        measure(1);
        series_[0].failure = protocol::Failure{protocol::Call::sampler, ETIMEDOUT};
        save(store);
        measure(2);
        save(store);
        expect_all();
    }
    Store store = reopen();
    ASSERT_TRUE(series_[0].failure);
    series_[0].failure.reset();  // it is tried again
    measure(3);
    save(store);
    EXPECT_EQ(samples().find("ETIMEDOUT"), std::string::npos);
    expect_all();
}

TEST_F(SamplesCsvTest, IsReplacedOnceNobodyKnowsHowManyLinesAreValid) {
    const sys::Fd folder(open(folder_.c_str(), O_PATH | O_CLOEXEC));
    SamplesCsv file;
    int forgot = 0;
    const auto save_file = [&] {
        file.save(folder.get(), info_.identity, all(), [&] {
            if (++forgot == 1) return;
            EXPECT_EQ(lines().size(), 1U + file.lines().value())
                << "the earlier one, without what was behind it";
        });
    };
    measure(1);
    series_[0].failure = protocol::Failure{protocol::Call::sampler, ETIMEDOUT};
    save_file();
    measure(2);
    save_file();
    EXPECT_EQ(forgot, 1) << "of a new file";
    EXPECT_EQ(file.lines(), 7U);
    std::ofstream(folder_ / kSamplesCsv, std::ios::app) << "half a li";
    series_[0].failure.reset();
    save_file();
    EXPECT_EQ(forgot, 2);
    EXPECT_EQ(file.lines(), 6U);
    expect_all();
}

TEST_F(SamplesCsvTest, ThatWasChangedIsWrittenAnew) {
    Store store = Store::create(folder_);
    measure(1);
    save(store);
    for (std::uint32_t round = 2; round <= 4; ++round) {
        if (round == 2) put(folder_ / kSamplesCsv, "");
        if (round == 3) fs::remove(folder_ / kSamplesCsv);
        if (round == 4) std::ofstream(folder_ / kSamplesCsv, std::ios::app) << "what does not belong there\n";
        measure(round);
        save(store);
        expect_all();
    }
}

TEST_F(SamplesCsvTest, WithASecondNameIsNeverValidFurtherThanRunJsonSays) {
    Store store = Store::create(folder_);
    measure(1);
    save(store);
    // What a killed run has left behind stays there, as nothing that has another name is cut.
    std::ofstream(folder_ / kSamplesCsv, std::ios::app) << "half a li";
    fs::create_hard_link(folder_ / kSamplesCsv, folder_ / "copy");
    const std::string before = text_of(folder_ / "run.json");
    // The new one cannot take its place: as if it were killed right before.
    fs::create_directory(folder_ / "aside");
    fs::rename(folder_ / kSamplesCsv, folder_ / "aside" / kSamplesCsv);
    fs::create_directory(folder_ / kSamplesCsv);
    measure(2);
    EXPECT_THROW(save(store), std::runtime_error);
    EXPECT_EQ(text_of(folder_ / "run.json"), before);
    fs::remove(folder_ / kSamplesCsv);
    fs::rename(folder_ / "aside" / kSamplesCsv, folder_ / kSamplesCsv);
    save(store);
    expect_all();
    EXPECT_TRUE(text_of(folder_ / "copy").ends_with("half a li"));
}

TEST_F(SamplesCsvTest, OfOtherColumnsIsWrittenAnew) {
    {
        Store store = Store::create(folder_);
        measure(1);
        save(store);
    }
    std::string text;
    for (const std::string& line : lines()) text += fmt::format("{},{}\n", line, text.empty() ? "more" : "1");
    put(folder_ / kSamplesCsv, text);
    Store store = reopen();
    measure(2);
    save(store);
    expect_all();
}

TEST_F(SamplesCsvTest, AFileThatCannotBeWrittenLeavesRunJsonAtWhatIsThere) {
    Store store = Store::create(folder_);
    measure(1);
    save(store);
    const std::string before = samples();
    fs::rename(folder_ / kSamplesCsv, folder_ / "aside");
    fs::create_directory(folder_ / kSamplesCsv);
    measure(2);
    EXPECT_THROW(save(store), std::runtime_error);
    fs::remove(folder_ / kSamplesCsv);
    fs::rename(folder_ / "aside", folder_ / kSamplesCsv);
    EXPECT_EQ(parse_run_json(text_of(folder_ / "run.json"), "run.json")->sample_lines, 4U);
    EXPECT_EQ(parse_run_json(text_of(folder_ / "run.json"), "run.json")->rounds, 1U)
        << "the totals are those of the samples";
    save(store);
    EXPECT_TRUE(samples().starts_with(before)) << "there is room again";
    EXPECT_EQ(parse_run_json(text_of(folder_ / "run.json"), "run.json")->sample_lines, 8U);
    expect_all();
}

TEST_F(SamplesCsvTest, IsNotAppendedToBeforeRunJsonSaysHowLongItIs) {
    {
        Store store = Store::create(folder_);
        measure(1);
        save(store);
    }
    info_.sample_lines.reset();  // an earlier nsbench's
    put(folder_ / "run.json", run_json(info_));
    const std::string before = samples();
    Store store = reopen();
    measure(2);
    // The error comes from run.json, so that samples.csv is not touched.
    fs::remove(folder_ / "run.json");
    fs::create_directory(folder_ / "run.json");
    EXPECT_THROW(save(store), std::runtime_error);
    EXPECT_EQ(samples(), before);
    fs::remove(folder_ / "run.json");
    save(store);
    expect_all();
}

TEST_F(SamplesCsvTest, NumbersThoseOfEachMachine) {
    for (const std::uint32_t machine : {1U, 2U}) {
        for (const std::uint32_t round : {1U, 2U, 3U}) {
            Sample sample = alike({round, round, true}, 41000);
            sample.times[static_cast<std::size_t>(Phase::drain)] = 0;
            sample.machine = machine;
            series_[0].samples.push_back(sample);
        }
    }
    const std::string text = samples_csv(info_.identity, all());
    const auto read = parse_samples(whole(text), "samples.csv", info_, *make_plan(info_.options.selection));
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(read->series[0].samples.size(), 6U);
    EXPECT_EQ(samples_csv(info_.identity, std::vector<const Series*>{read->series.data()}), text);
}

TEST(Lines, ComeInPieces) {
    for (std::size_t size = 1; size < 9; ++size) {
        std::string_view left = "one\n\nthree\n";
        Lines lines([&] {
            const std::string_view piece = left.substr(0, size);
            left.remove_prefix(piece.size());
            return piece;
        });
        EXPECT_EQ(lines.next(), "one");
        EXPECT_EQ(lines.next(), "");
        EXPECT_EQ(lines.bytes(), 5U);
        EXPECT_EQ(lines.next(), "three");
        EXPECT_FALSE(lines.next());
        EXPECT_EQ(lines.bytes(), 11U);
    }
    Lines cut(whole("one\ntw"));
    EXPECT_EQ(cut.next(), "one");
    EXPECT_THROW(cut.next(), Wrong);
}

}  // namespace
}  // namespace nsb::run
