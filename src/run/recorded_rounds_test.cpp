#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "report/csv.h"
#include "run/outputs.h"
#include "run/recorded.h"

namespace nsb::run {
namespace {

class RecordedRoundsTest : public testing::Test {
  protected:
    RecordedRoundsTest() {
        info_.identity = {"20260101T000000Z-0", "6.1.0, mine", TickClock::wall};
        RoundMarks& first = info_.marks.emplace_back();
        first.round = 1;
        first.begin = 1'767'225'600'000'007;
        first.duration = 1'234'567;
        RoundMarks& second = info_.marks.emplace_back(first);
        second.round = 3;
        second.steal = 0;
        second.others = 400'001;
        second.kernel_threads = 9;
        second.waited = 1;
        second.switches = 12;
        second.frequency = 2'600'000;
        second.throttles = 2;
        second.suspended = 3'600'000'000;
        second.moved = 4;
        second.disturbed = Disturber::other_tasks;
        const auto table = outputs();
        text_ = std::ranges::find(table, kRoundsCsv, &Output::file)->text({info_, {}, {}});
    }

    static std::string error_of(const std::string& text) {
        const auto rounds = parse_rounds(text, "rounds.csv");
        return rounds ? "" : rounds.error();
    }
    [[nodiscard]] std::string with(const std::string& old, const std::string& text) const {
        std::string changed = text_;
        return changed.replace(changed.rfind(old), old.size(), text);
    }

    RunInfo info_;
    std::string text_;
};

TEST_F(RecordedRoundsTest, AreWrittenByTheirColumns) {
    EXPECT_EQ(
        text_,
        "run_id,kernel,round,begin,seconds,steal,others,kernel_threads,waited,switches,frequency,throttles,"
        "disturbed,suspended,moved\n"
        "20260101T000000Z-0,\"6.1.0, mine\",1,1767225600.000007,1.234567,,,,,,,,,,\n"
        "20260101T000000Z-0,\"6.1.0, mine\",3,1767225600.000007,1.234567,0.000000,0.400001,0.000009,"
        "0.000001,12,2600000,2,other tasks,3600.000000,4\n");
}

TEST_F(RecordedRoundsTest, OfAnEarlierNsbenchLackTheColumnsThatCameLater) {
    const auto rounds = parse_rounds(
        "run_id,kernel,round,begin,seconds,steal,others,kernel_threads,waited,switches,frequency,throttles,"
        "disturbed\nid,6.1.0,1,1767225600.000007,1.234567,,,,,,,,\n",
        "rounds.csv");
    ASSERT_TRUE(rounds) << rounds.error();
    EXPECT_EQ(rounds->front().suspended, std::nullopt);
    EXPECT_EQ(rounds->front().moved, std::nullopt);
}

TEST_F(RecordedRoundsTest, ComeBackAsTheyWere) {
    const auto rounds = parse_rounds(text_, "rounds.csv");
    ASSERT_TRUE(rounds) << rounds.error();
    ASSERT_EQ(rounds->size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
        const RoundMarks& was = info_.marks[i];
        const RoundMarks& is = (*rounds)[i];
        EXPECT_EQ(std::tie(is.round, is.begin, is.duration, is.disturbed),
                  std::tie(was.round, was.begin, was.duration, was.disturbed));
        EXPECT_EQ(std::tie(is.steal, is.others, is.kernel_threads, is.waited, is.switches, is.frequency,
                           is.throttles),
                  std::tie(was.steal, was.others, was.kernel_threads, was.waited, was.switches, was.frequency,
                           was.throttles));
    }
}

TEST_F(RecordedRoundsTest, ThatDoNotHoldAreRefusedWithTheirLine) {
    EXPECT_EQ(error_of(""), "rounds.csv:1: the file ends within this line");
    EXPECT_EQ(error_of("a,b\n"), "rounds.csv:1: no column 'run_id' in \"a,b\"");
    EXPECT_EQ(error_of(text_.substr(0, text_.size() - 1)), "rounds.csv:3: the file ends within this line");
    EXPECT_EQ(error_of(with("other tasks", "the weather")),
              "rounds.csv:3: disturbed: \"the weather\" is nothing that disturbs");
    EXPECT_EQ(error_of(with(",3,", ",1,")), "rounds.csv:3: round: \"1\" is not behind the one before");
    EXPECT_TRUE(error_of(with(",3,", ",0,")).starts_with("rounds.csv:3: round: \"0\" is not a whole numbe"))
        << error_of(with(",3,", ",0,"));
    EXPECT_TRUE(
        error_of(with("0.400001", "-1")).starts_with("rounds.csv:3: others: \"-1\" is not a time from"))
        << error_of(with("0.400001", "-1"));
    EXPECT_TRUE(error_of(with("0.400001", "1e9")).starts_with("rounds.csv:3: others: \"1e9\" is not a ti"))
        << error_of(with("0.400001", "1e9"));
    EXPECT_TRUE(error_of(with(",12,", ",1.5,")).starts_with("rounds.csv:3: switches: \"1.5\" is not a w"))
        << error_of(with(",12,", ",1.5,"));
    EXPECT_TRUE(error_of(with("1767225600.000007", "99999999999999"))
                    .starts_with("rounds.csv:3: begin: \"99999999999999\" is"))
        << error_of(with("1767225600.000007", "99999999999999"));
    EXPECT_TRUE(error_of(with(",2,other", ",2,9,other")).starts_with("rounds.csv:3: 16 fields of 15:"))
        << error_of(with(",2,other", ",2,9,other"));
}

}  // namespace
}  // namespace nsb::run
