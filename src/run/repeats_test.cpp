// What repeats begin with and come to, and their folders: no process is started.
#include "run/repeats.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "core/test_samples.h"
#include "run/progress.h"
#include "run/recorded.h"
#include "run/store.h"
#include "sys/error.h"
#include "sys/test_folder.h"

namespace nsb::run {
namespace {

namespace fs = std::filesystem;

RunStart whole(std::uint32_t count = 3) {
    RunStart start;
    start.identity = {"20260101T000000Z-0", "6.1.0", TickClock::wall};
    start.options.selection.cases = {"clone/NEWPID/stack:1M"};
    start.options.seed = 7;
    start.warnings = {"of all"};
    start.repeat = Repeat{0, count, std::chrono::milliseconds(1500), false};
    return start;
}

/// A repeat whose rounds have this median.
Summary repeat_of(const RunStart& start, std::uint32_t number, double time) {
    Series series{*parse_case("clone/NEWPID/stack:1M"), {}, {}};
    for (std::uint32_t round = 1; round <= 6; ++round) {
        series.samples.push_back(alike({round, round, true}, time));
    }
    RunInfo info;
    static_cast<RunStart&>(info) = start_of_repeat(start, start, number);
    info.repeat->complete = true;
    info.rounds = 6;
    info.seconds = 2;
    info.warnings.emplace_back("of each");
    info.sampler_mappings = 10 + number;
    return {info, make_rows(series, nullptr, {}), {}};
}

Repeats three(const RunStart& start) {
    Repeats repeats;
    for (const std::uint32_t number : {1U, 3U, 2U}) repeats.add(repeat_of(start, number, 1000 * number));
    return repeats;
}

TEST(Repeats, BeginLikeTheWholeAndDifferInSeedAndName) {
    RunStart now;
    now.version = "now's";
    const RunStart second = start_of_repeat(whole(), now, 2);
    EXPECT_EQ(second.version, "now's");
    EXPECT_EQ(second.identity.run_id, "20260101T000000Z-0.2");
    EXPECT_EQ(second.options.seed, 8U);
    EXPECT_EQ(second.options.selection.cases, whole().options.selection.cases);
    EXPECT_EQ(second.repeat->number, 2U);
    EXPECT_FALSE(second.is_of_repeats());
    EXPECT_TRUE(whole().is_of_repeats());
    EXPECT_EQ(seed_of_repeat(7, 1), 7U);
    EXPECT_EQ(seed_of_repeat(std::numeric_limits<std::uint64_t>::max(), 2), 0U);
}

TEST(Repeats, HaveWhatIsLeftOfTheBudget) {
    RunOptions options;
    options.budget = std::chrono::seconds(10);
    EXPECT_DOUBLE_EQ(share_left(options, 0), 1);
    EXPECT_DOUBLE_EQ(share_left(options, 4), 0.6);
    EXPECT_DOUBLE_EQ(share_left(options, 11), 0);
    options.budget.reset();
    EXPECT_DOUBLE_EQ(share_left(options, 4), 1);
}

TEST(Repeats, AddUp) {
    const RunStart start = whole();
    Repeats repeats = three(start);
    const Summary all = sum_up(start, repeats);
    EXPECT_EQ(all.info.identity.run_id, start.identity.run_id);
    EXPECT_EQ(all.info.options.seed, 7U);
    EXPECT_EQ(repeats.infos[1].repeat->number, 2U);
    EXPECT_EQ(all.info.rounds, 18U);
    EXPECT_DOUBLE_EQ(all.info.seconds, 6);
    EXPECT_EQ(all.info.warnings, (std::vector<std::string>{"of all", "of each"}));
    EXPECT_EQ(all.info.sampler_mappings, 13U);
    EXPECT_TRUE(all.info.repeat->complete);
    EXPECT_DOUBLE_EQ(all.rows.front().figures->median, 2000);
    EXPECT_EQ(all.rows.front().repeats, 3U);
    repeats.infos.back().repeat->complete = false;
    EXPECT_FALSE(sum_up(start, repeats).info.repeat->complete);
    EXPECT_FALSE(sum_up(whole(4), three(whole(4))).info.repeat->complete);
}

TEST(Repeats, SayWhatDisturbedAllOfTheirRounds) {
    const RunStart start = whole();
    Repeats repeats = three(start);
    for (RunInfo& one : repeats.infos) {
        one.marks.resize(2);
        one.marks[0].round = 2;
        one.marks[0].disturbed = Disturber::steal;
        one.marks[1].round = 6;
        one.kept_whole = {"clone/NEWPID/stack:1M"};
    }
    const RunInfo all = sum_up(start, repeats).info;
    std::vector<std::uint32_t> rounds;
    for (const RoundMarks& marks : all.marks) rounds.push_back(marks.round);
    EXPECT_EQ(rounds, (std::vector<std::uint32_t>{2, 6, 8, 12, 14, 18})) << "counted on";
    EXPECT_EQ(count_by_disturber(all.marks).at("steal"), 3U);
    EXPECT_EQ(all.kept_whole, std::vector<std::string>{"clone/NEWPID/stack:1M"});
}

TEST(Repeats, AddUpToWhatCanBeReadAgain) {
    const RunStart start = whole();
    Repeats repeats = three(start);
    for (RunInfo& info : repeats.infos) info.rounds = 1'000'000'000;
    const auto again = parse_run_json(run_json(sum_up(start, repeats).info), "run.json");
    ASSERT_TRUE(again) << again.error();
    ASSERT_TRUE(again->repeat);
    EXPECT_TRUE(again->is_of_repeats());
    EXPECT_EQ(again->repeat->count, 3U);
    EXPECT_EQ(again->repeat->apart, std::chrono::milliseconds(1500));
    EXPECT_TRUE(again->repeat->complete);
    const auto own = parse_run_json(run_json(repeats.infos[1]), "run.json");
    ASSERT_TRUE(own) << own.error();
    EXPECT_EQ(own->repeat->number, 2U);
}

TEST(Repeats, OfAFileAreWithinTheirRange) {
    const auto error_of = [](const char* member, const nlohmann::ordered_json& value) {
        auto json = nlohmann::ordered_json::parse(run_json(repeat_of(whole(), 2, 1).info));
        json["repeat"][member] = value;
        const auto read = parse_run_json(json.dump(), "run.json");
        return read ? "" : read.error();
    };
    EXPECT_EQ(error_of("number", 4), "run.json: repeat.number: 4 is not a whole number from 1 to 3");
    EXPECT_EQ(error_of("number", 0), "run.json: repeat.number: 0 is not a whole number from 1 to 3");
    EXPECT_EQ(error_of("count", 1001), "run.json: repeat.count: 1001 is not a whole number from 1 to 1000");
    EXPECT_TRUE(error_of("apart_s", -1).starts_with("run.json: repeat.apart_s: -1 is not a number from 0"));
    EXPECT_EQ(error_of("complete", 1), "run.json: repeat.complete: 1 is neither true nor false");
    EXPECT_EQ(error_of("complete", true), "");
}

TEST(Repeats, OfAnEarlierNsbenchThereAreNone) {
    auto json = nlohmann::ordered_json::parse(run_json(repeat_of(whole(), 2, 1).info));
    json.erase("repeat");
    const auto read = parse_run_json(json.dump(), "run.json");
    ASSERT_TRUE(read) << read.error();
    EXPECT_FALSE(read->repeat);
}

TEST(Repeats, AreRepetitionsForGoogleBenchmark) {
    const RunStart start = whole();
    const Repeats repeats = three(start);
    const Summary all = sum_up(start, repeats);
    const RunData data{all.info, all.rows, {}, repeats.rows};
    const auto json = nlohmann::json::parse(benchmark_json(data, JsonEntries::all));
    std::vector<double> times;
    std::vector<double> medians;
    for (const auto& one : json["benchmarks"]) {
        if (one["name"].get<std::string>().find("phase:create") == std::string::npos) continue;
        const bool is_one = one["run_type"] == "iteration";
        (is_one ? times : medians).push_back(one["real_time"]);
        EXPECT_EQ(one["repetitions"], 3);
        EXPECT_EQ(one["iterations"], is_one ? 6 : 3);
    }
    ASSERT_EQ(times.size(), 3U);
    for (std::size_t i = 0; i < times.size(); ++i)
        EXPECT_NEAR(times[i], 1000.0 * static_cast<double>(i + 1), 1e-6);
    ASSERT_EQ(medians.size(), 1U);
    EXPECT_NEAR(medians.front(), 2000, 1e-6);

    const auto alone = nlohmann::json::parse(benchmark_json(data, JsonEntries::aggregates));
    std::vector<nlohmann::json> aggregates;
    std::ranges::copy_if(json["benchmarks"], std::back_inserter(aggregates), [](const auto& one) {
        return one["run_type"] == "aggregate" || one.contains("error_occurred");
    });
    EXPECT_EQ(alone["benchmarks"].get<std::vector<nlohmann::json>>(), aggregates);
}

TEST(ProgressOfRepeats, IsOfAllOfThem) {
    Progress progress{3, 5, 10, 4, 1, 20, 40, RepeatPlace{2, 5, 10}};
    // This one takes 60 s, of which 40 are left; three more follow, each 10 s after the one before.
    EXPECT_EQ(describe(progress), "repeat 2 of 5, round 3: 5 of 10 blocks, 1 of 4 cases precise, 4:10 left");
    progress.left_s.reset();
    EXPECT_EQ(describe(progress),
              "repeat 2 of 5, round 3: 5 of 10 blocks, 1 of 4 cases precise, 20 s so far");
    EXPECT_EQ(describe_pause({2, 5, 10}, 7.4), "repeat 2 of 5 begins in 0:07");
}

class RepeatsTest : public sys::FolderTest {
  protected:
    /// A folder of three, the first of which is there.
    [[nodiscard]] Store begun() const {
        const RunStart start = whole();
        Store store = Store::create(folder_ / "run", *start.repeat);
        const Summary first = repeat_of(start, 1, 1000);
        store.create_repeat(1).save(first.info, first.rows, {});
        Repeats repeats;
        repeats.add(first);
        const Summary all = sum_up(start, repeats);
        store.save({all.info, all.rows, {}, repeats.rows});
        return store;
    }
};

TEST_F(RepeatsTest, HaveFoldersInThatOfAll) {
    const Store store = begun();
    EXPECT_FALSE(fs::exists(folder_ / "run" / "samples.csv"));
    EXPECT_TRUE(fs::exists(folder_ / "run" / "results.csv"));
    EXPECT_TRUE(fs::exists(folder_ / "run" / "repeat-1" / "samples.csv"));
    EXPECT_TRUE(store.reopen_repeat(whole(), 1));
    EXPECT_FALSE(store.reopen_repeat(whole(), 2));
    EXPECT_THROW(Store::reopen(folder_ / "run"), StoreError) << "in use";
}

TEST_F(RepeatsTest, AreTakenUpAgain) {
    (void)begun();
    const auto [store, recorded] = Store::reopen(folder_ / "run");
    EXPECT_TRUE(recorded.info.is_of_repeats());
    EXPECT_TRUE(recorded.series.empty());
    EXPECT_THROW(Store::create(folder_ / "run", *whole().repeat), StoreError);
}

TEST_F(RepeatsTest, OfAnotherRunAreRefused) {
    const Store store = begun();
    fs::rename(folder_ / "run" / "repeat-1", folder_ / "run" / "repeat-2");
    EXPECT_THROW((void)store.reopen_repeat(whole(), 2), StoreError);
    RunStart other = whole();
    other.identity.run_id = "other";
    fs::rename(folder_ / "run" / "repeat-2", folder_ / "run" / "repeat-1");
    EXPECT_THROW((void)store.reopen_repeat(other, 1), StoreError);
}

TEST_F(RepeatsTest, AreNotBegunBesideOthers) {
    (void)begun();
    fs::remove(folder_ / "run" / "run.json");
    EXPECT_THROW(Store::create(folder_ / "run", *whole().repeat), StoreError);
    EXPECT_NO_THROW(Store::create(folder_ / "run"));
}

TEST_F(RepeatsTest, AFolderThatIsNoneIsAnError) {
    const Store store = begun();
    put(folder_ / "run" / "repeat-2", "");
    EXPECT_THROW((void)store.create_repeat(2), sys::SystemError);
    fs::create_directory(folder_ / "elsewhere");
    fs::create_directory_symlink(folder_ / "elsewhere", folder_ / "run" / "repeat-3");
    EXPECT_NO_THROW((void)store.create_repeat(3)) << "a link of one's own";
}

}  // namespace
}  // namespace nsb::run
