// The table of outputs, and what is made of it: no process is started.
#include "run/outputs.h"

#include <gtest/gtest.h>

#include <set>

#include "sys/error.h"
#include "sys/file.h"
#include "sys/test_folder.h"

namespace nsb::run {
namespace {

constexpr Output kShort{
    .option = "short", .file = "short.txt", .may_be_stdout = true, .text = [](const RunData& r) {
        return r.info.version;
    }};
constexpr Output kBinary{.option = "binary", .text = [](const RunData&) { return std::string("bytes"); }};
constexpr Output kStacks{
    .option = "stacks", .may_be_stdout = true, .of_probe = OfProbe::stacks, .text = [](const RunData& r) {
        return r.info.probe->choice;
    }};
constexpr std::array kTable{kShort, kBinary, kStacks};

const Output& output(std::string_view option) {
    return *std::ranges::find(outputs(), option, &Output::option);
}

class OutputsTest : public sys::FolderTest {
  protected:
    [[nodiscard]] Destination in_folder(const Output& made, const std::string& name) const {
        return {&made, folder_ / name};
    }
    [[nodiscard]] std::ptrdiff_t count_files() const {
        return std::distance(std::filesystem::directory_iterator(folder_), {});
    }
    RunInfo info_;
};

TEST(Outputs, HaveAPlaceAndATextEach) {
    std::set<std::string_view> names;
    for (const Output& one : outputs()) {
        EXPECT_TRUE(!one.option.empty() || !one.file.empty());
        EXPECT_NE(one.text, nullptr) << one.option << one.file;
        EXPECT_FALSE(one.meaning.empty()) << one.option << one.file;
        for (const std::string_view name : {one.option, one.file})
            EXPECT_TRUE(name.empty() || names.insert(name).second) << name;
    }
}

TEST(Outputs, OfAFolderAreListed) {
    EXPECT_EQ(files_of_a_folder(),
              "run.json, results.csv, samples.csv, rounds.csv; with --probe also probe.csv, memory.csv");
}

TEST(Outputs, GoToStandardOutputByAnyOfItsNames) {
    for (const char* const name : {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}) {
        EXPECT_EQ(destination(kShort, name)->path, "-");
        EXPECT_EQ(destination(kBinary, name).error(), "a file, and not standard output");
    }
    EXPECT_EQ(destination(kBinary, "./-")->path, "./-");
}

TEST(Outputs, ShareNoStandardOutput) {
    Destinations some{{&kShort, "-"}, {&kBinary, "a"}};
    EXPECT_TRUE(take_standard_output(some));
    EXPECT_TRUE(check_standard_output(some));
    some.push_back({&kStacks, "-"});
    EXPECT_EQ(check_standard_output(some, kTable).error(),
              "--short=-, --stacks=-: standard output is for one of them");
    EXPECT_EQ(check_standard_output(some).error(),
              "--csv=-, --rounds=-, --json=-, --json-aggregates=-, --folded=-: standard output is for one of "
              "them");
    EXPECT_FALSE(take_standard_output({{&kBinary, "a"}}));
}

TEST(Outputs, SayWhatComesFromTheProbe) {
    const Destinations some{{&kShort, "a"}, {&kStacks, "b"}};
    EXPECT_EQ(find(some, OfProbe::stacks), &kStacks);
    EXPECT_EQ(find(some, OfProbe::figures), &kStacks);
    EXPECT_EQ(find({{&kShort, "a"}}, OfProbe::figures), nullptr);
}

TEST_F(OutputsTest, ThatCannotBeWrittenAreNamed) {
    EXPECT_TRUE(check_writable({in_folder(kShort, "a"), {&kShort, "-"}}));
    const auto checked = check_writable({in_folder(kShort, "a"), in_folder(kBinary, "no/b")});
    ASSERT_FALSE(checked);
    EXPECT_TRUE(checked.error().starts_with("--binary=")) << checked.error();
    EXPECT_NE(checked.error().find("cannot be written: open("), std::string::npos) << checked.error();
    EXPECT_EQ(count_files(), 0);
}

TEST_F(OutputsTest, AreWrittenButThoseThatHaveNothingToSay) {
    info_.version = "9";
    const Destinations all{in_folder(kShort, "a"), in_folder(kStacks, "b"), in_folder(kBinary, "c")};
    write(all, {info_, {}, {}});
    EXPECT_EQ(text_of(folder_ / "a"), "9");
    EXPECT_EQ(text_of(folder_ / "c"), "bytes");
    EXPECT_FALSE(kStacks.can_be_made_of(info_));
    EXPECT_EQ(count_files(), 2);
    info_.probe.emplace().choice = "fentry";
    write(all, {info_, {}, {}});
    EXPECT_EQ(text_of(folder_ / "b"), "fentry");
}

TEST_F(OutputsTest, AFileThatCannotBeWrittenCostsNoOther) {
    EXPECT_THROW(write({in_folder(kShort, "no/a"), in_folder(kBinary, "b")}, {info_, {}, {}}),
                 sys::SystemError);
    EXPECT_EQ(text_of(folder_ / "b"), "bytes");
}

TEST(Outputs, TheSummaryOfAFolderIsThatOfItsOption) {
    EXPECT_EQ(output("csv").file, kResultsCsv);
}

}  // namespace
}  // namespace nsb::run
