#include "run/recorded.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "run/samples_csv.h"
#include "run/store.h"

namespace nsb::run {
namespace {

using Json = nlohmann::ordered_json;

/// A run of clone with NEWPID and its base: a warm-up, then two rounds of two; NEWTIME failed.
class RecordedTest : public testing::Test {
  protected:
    void SetUp() override {
        info_.identity = {"20260101T000000Z-0", "6.1.0", TickClock::wall};
        info_.options.selection.operations = {Operation::clone};
        info_.options.selection.sets = {KindSet(Kind::pid), KindSet(Kind::time), KindSet(Kind::net)};
        info_.options.selection.values = {{"stack", {"1M"}}};
        info_.options.samples = 4;
        info_.options.budget.reset();
        info_.options.block = 2;
        info_.options.cpu = 1;
        info_.rounds = 2;
        info_.drains = 3;
        info_.environment = {{"kernel", "6.1.0"}};
        info_.sampler_cpus = {1};
        for (const KindSet set : {KindSet(Kind::pid), KindSet()}) {
            Series series{Case::of(Operation::clone, set), {}, {}};
            for (const std::uint32_t round : {0U, 1U, 1U, 2U, 2U}) {
                Sample sample{round, 2 * round + (set.empty() ? 1 : 0), round > 0, {}};
                for (const Phase phase : series.measured.phases())
                    sample.times[static_cast<std::size_t>(phase)] = 33000;
                sample.ended = round == 2 ? 41000 : 0;
                series.samples.push_back(sample);
            }
            series_.push_back(series);
        }
        series_.push_back(
            {Case::of(Operation::clone, Kind::time), {}, protocol::Failure{protocol::Call::clone3, ENOSYS}});
        // Case by case, as an earlier nsbench wrote them.
        for (const Series& series : series_) {
            const Series* const one = &series;
            const std::string text = samples_csv(info_.identity, {&one, 1});
            samples_ += samples_.empty() ? text : text.substr(text.find('\n') + 1);
        }
        json_ = Json::parse(run_json(info_));
    }

    [[nodiscard]] tl::expected<std::vector<Series>, std::string> parse(const std::string& text) const {
        auto read = parse_samples(whole(text), "samples.csv", info_, *make_plan(info_.options.selection));
        if (!read) return tl::unexpected(read.error());
        return std::move(read->series);
    }

    /// samples.csv with a field of a line (the header is line 1) replaced.
    static std::string with(const std::string& text, std::size_t line, std::string_view column,
                            const std::string& value) {
        std::vector<std::string> lines = split(text, "\n");
        const std::vector<std::string> names = split(lines[0], ",");
        std::vector<std::string> fields = split(lines[line - 1], ",");
        fields[static_cast<std::size_t>(std::ranges::find(names, column) - names.begin())] = value;
        lines[line - 1] = fmt::format("{}", fmt::join(fields, ","));
        return fmt::format("{}", fmt::join(lines, "\n"));
    }
    [[nodiscard]] std::string with(std::size_t line, std::string_view column,
                                   const std::string& value) const {
        return with(samples_, line, column, value);
    }

    RunInfo info_;
    std::vector<Series> series_;
    std::string samples_;
    Json json_;
};

TEST_F(RecordedTest, SamplesComeBackAsTheyWere) {
    const auto series = parse(samples_);
    ASSERT_TRUE(series) << series.error();
    ASSERT_EQ(series->size(), series_.size());
    for (std::size_t i = 0; i < series_.size(); ++i) {
        EXPECT_EQ((*series)[i].measured, series_[i].measured);
        ASSERT_EQ((*series)[i].samples.size(), series_[i].samples.size());
        for (std::size_t n = 0; n < series_[i].samples.size(); ++n) {
            EXPECT_EQ((*series)[i].samples[n].round, series_[i].samples[n].round);
            EXPECT_EQ((*series)[i].samples[n].block, series_[i].samples[n].block);
            EXPECT_EQ((*series)[i].samples[n].counted, series_[i].samples[n].counted);
            EXPECT_EQ((*series)[i].samples[n].times, series_[i].samples[n].times);
            EXPECT_EQ((*series)[i].samples[n].ended, series_[i].samples[n].ended);
        }
    }
    EXPECT_EQ(series->back().failure->error, ENOSYS);
    EXPECT_EQ(series->back().failure->call, protocol::Call::clone3);
    EXPECT_TRUE(parse(with(4, "create", "0")));
    EXPECT_TRUE(parse(with(4, "create", "33000.125")));
    EXPECT_TRUE(parse(with(4, "create", "9007199254740992")));
    EXPECT_TRUE(parse(with(12, "errno", "524"))) << "ENOTSUPP, which has no name for programs";
}

TEST_F(RecordedTest, AFieldThatDoesNotHoldIsRefusedWithItsLine) {
    constexpr std::size_t kFields = 13 + kPhases;
    const std::string too_many = fmt::format("4: {} fields of {}: \"2026", kFields + 1, kFields);
    struct {
        std::size_t line;
        const char* column;
        const char* value;
        const char* error;  ///< behind the file's name
    } const table[]{
        {4, "create", "3x456", R"(4: create: "3x456" is not a time)"},
        {4, "create", "5.", R"(4: create: "5." is not a time)"},
        {4, "create", ".5", R"(4: create: ".5" is not a time)"},
        {4, "create", "05", R"(4: create: "05" is not a time)"},
        {4, "create", "33000\r", R"(4: create: "33000\x0d" is not a time)"},
        {4, "ended", "0\r", R"(4: the line ends in \r\n, and not in \n alone)"},
        {1, "ended", "ended\r", R"(1: the line ends in \r\n, and not in \n alone)"},
        {1, "run_id", "\xef\xbb\xbfrun_id", R"(1: no column 'run_id' in "\xef\xbb\xbfrun_id,kernel,)"},
        {4, "ended", "\"0", R"(4: quotes where they do not belong)"},
        {4, "total", "\"33000\"", R"(4: quotes where they do not belong)"},
        {4, "run_id", "", R"(4: run_id: "" is none)"},
        {4, "run_id", "\xff", R"(4: run_id: "\xff" is none)"},
        {4, "round", "01", R"(4: round: "01" begins with a zero)"},
        {4, "create", "\x01", R"(4: create: "\x01" is not a time)"},
        {4, "create", "9007199254740994", R"(4: create: "9007199254740994" is not a time from 0 to 90071)"},
        {4, "total", "", R"(4: total: "" is not a time)"},
        {4, "switch", "12", R"(4: switch: "12" is of a phase that clone/NEWPID/stack:1M does not have)"},
        {4, "drain", "12", R"(4: drain: "12" is of a phase)"},
        {4, "round", "-1", R"(4: round: "-1" is not a whole number from 0 to 1000000000)"},
        {4, "round", "4294967295", R"(4: round: "4294967295" is not a whole number)"},
        {4, "round", "3", R"(5: round: "2" behind a later one)"},
        {4, "block", "1.5", R"(4: block: "1.5" is not a whole number)"},
        {4, "block", "9", R"(5: block: "4" behind a later one)"},
        {4, "sampler", "1", R"(4: sampler: "1" is not a whole number from 0 to 0)"},
        {4, "ended", "1e3", R"(4: ended: "1e3" is not a time)"},
        {12, "ended", "7", R"(12: ended: "7" beside an errno)"},
        {4, "machine", "99999999999999999999", R"(4: machine: "99999999999999999999" is not a whole number)"},
        {4, "counted", "2", R"(4: counted: "2" is not a whole number from 0 to 1)"},
        {2, "counted", "1", R"(2: counted: "1" in round 0)"},
        {4, "sample", "1", R"(4: sample: "1" is not "2", the next one)"},
        {4, "call", "clone", R"(4: call: "clone" without an errno)"},
        {4, "case", "clone/NEWPIT/stack:1M", R"(4: case: "clone/NEWPIT/stack:1M" is none: )"},
        {4, "case", "clone/\xffWPID",
         R"(4: case: "clone/\xffWPID" is none: '\xffwpid' is no namespace kind)"},
        {4, "case", "clone/NEWNS/stack:1M",
         R"(4: case: "clone/NEWNS/stack:1M" is not among the run's cases)"},
        {4, "case", "clone/NEWPID/stack:1024K", R"(4: case: "clone/NEWPID/stack:1024K" is not among)"},
        {4, "kernel", "6.2.0", R"(4: kernel: "6.2.0" is not "6.1.0", the run's)"},
        {4, "clock", "instructions", R"(4: clock: "instructions" is not "wall", the run's)"},
        {4, "errno", "ENOSYS", R"(4: call: "" is no call)"},
        {12, "errno", "EFOO", R"(12: errno: "EFOO" is no errno)"},
        {12, "errno", "5000", R"(12: errno: "5000" is no errno)"},
        {12, "errno", "22", R"(12: errno: "22" is no errno)"},
        {12, "call", "klone", R"(12: call: "klone" is no call)"},
        {12, "round", "1", R"(12: round: "1" beside an errno)"},
        {12, "total", "5", R"(12: total: "5" beside an errno)"},
        {1, "create", "made", "1: no column 'create'"},
        {1, "create", "total", R"(1: the column "total" twice)"},
        {4, "total", "1,2", too_many.c_str()},
    };
    for (const auto& [line, column, value, error] : table) {
        SCOPED_TRACE(testing::Message() << "line " << line << ", " << column << " " << value);
        const auto series = parse(with(line, column, value));
        ASSERT_FALSE(series);
        EXPECT_TRUE(series.error().starts_with(fmt::format("samples.csv:{}", error))) << series.error();
    }
}

TEST_F(RecordedTest, NoNumberTakesWhatIsNone) {
    const std::vector<std::string_view> columns{"round",   "block",  "sample", "counted", "machine",
                                                "sampler", "create", "ready",  "exit",    "total"};
    for (const std::string_view column : columns) {
        for (const char* value :
             {"3x456", "nan",  "NaN",   "-nan",  "inf",  "-inf", "infinity", "-5",
              "-0",    "+5",   "1e300", "1e3",   "0x10", "",     " 5",       "5 ",
              "5,",    "\x01", "\xff",  "1.2.3", ".",    "five", "1_000",    "18446744073709551616"}) {
            const auto series = parse(with(4, column, value));
            ASSERT_FALSE(series) << column << " " << value;
            EXPECT_TRUE(series.error().starts_with("samples.csv:4: ")) << series.error();
            EXPECT_TRUE(std::ranges::all_of(series.error(), [](char c) { return c >= ' ' && c < 0x7F; }));
        }
    }
}

TEST_F(RecordedTest, AKernelMayHaveAnyName) {
    for (const char* const name : {"6.1\xff", "6.1,\"2\"", "6.1 \xc3\xa4", "\xef\xbf\xbd", "a\nb", ""}) {
        info_.identity.kernel = name;
        std::vector<const Series*> all;
        for (const Series& series : series_) all.push_back(&series);
        const std::string text = samples_csv(info_.identity, all);
        EXPECT_TRUE(parse(text)) << parse(text).error();
        const auto again = parse_run_json(run_json(info_), "run.json");
        ASSERT_TRUE(again) << again.error();
        EXPECT_EQ(again->identity.kernel, name);
    }
}

TEST_F(RecordedTest, ABaseMayBeWarmedUpAgain) {
    const std::string again = with(with(5, "round", "0"), 5, "counted", "0");
    EXPECT_TRUE(parse(again)) << parse(again).error();
    EXPECT_FALSE(parse(with(again, 4, "round", "3")));
}

TEST_F(RecordedTest, CasesAreThoseThatTheUserCouldMeasure) {
    info_.in_userns = true;
    EXPECT_EQ(
        parse(samples_).error(),
        "samples.csv:2: case: \"clone/NEWPID/stack:1M\" is not among the run's cases, which were measured "
        "through a user namespace");
}

TEST_F(RecordedTest, ARunThroughAUserNamespaceSaysWhichBaseItHas) {
    for (const char* const set : {"none", "NEWUSER"}) {
        json_["in_userns"] = true;
        json_["base_set"] = set;
        const auto info = parse_run_json(json_.dump(), "run.json");
        ASSERT_TRUE(info) << info.error();
        EXPECT_EQ(to_string(info->base_set), set);
    }
    json_.erase("base_set");  // an earlier nsbench's
    EXPECT_TRUE(parse_run_json(json_.dump(), "run.json")->base_set.empty());
}

TEST_F(RecordedTest, SamplesOfAMachineStandTogether) {
    std::string text = with(with(5, "machine", "2"), 5, "sample", "0");
    text = with(with(text, 6, "machine", "2"), 6, "sample", "1");
    EXPECT_TRUE(parse(text)) << parse(text).error();
    text = with(with(text, 6, "machine", "0"), 6, "sample", "0");
    EXPECT_TRUE(parse(text).error().starts_with("samples.csv:6: machine: \"0\" again"));
}

TEST_F(RecordedTest, AFileThatWasCutOffIsRefused) {
    for (std::size_t size = 0; size < samples_.size(); ++size) {
        if (size > 0 && samples_[size - 1] == '\n') continue;  // whole lines: so does a killed run end
        ASSERT_FALSE(parse(samples_.substr(0, size))) << size;
    }
    EXPECT_EQ(parse("").error(), "samples.csv:1: the file ends within this line");
}

TEST_F(RecordedTest, RunJsonComesBackAsItWas) {
    info_.block_shapes = {{BlockClass::none, {4, 16}}, {BlockClass::net, {4, 4}}};
    info_.blocks_in_round = 3;
    EXPECT_TRUE(Json::parse(run_json(info_))["measuring"]["samples_per_block"].is_null()) << "they differ";
    const auto info = parse_run_json(run_json(info_), "run.json");
    ASSERT_TRUE(info) << info.error();
    EXPECT_EQ(run_json(*info), run_json(info_));
}

TEST_F(RecordedTest, AnEarlierRunDoesNotSayTheShapesOfItsBlocks) {
    for (const char* const name : {"block_shapes", "blocks_in_round"}) json_["measuring"].erase(name);
    const auto info = parse_run_json(json_.dump(), "run.json");
    ASSERT_TRUE(info) << info.error();
    EXPECT_TRUE(info->block_shapes.empty());
}

TEST_F(RecordedTest, AMemberThatDoesNotHoldIsRefusedByItsName) {
    const struct {
        const char* pointer;
        Json value;
        const char* error;  ///< behind the file's name
    } table[]{
        {"/schema_version", 2, "schema_version: 2 is another version; this nsbench knows 1"},
        {"/clock", "foo", R"(clock: "foo" is no clock: accepted is wall or instructions)"},
        {"/run_id", "a\nb", R"(run_id: "a\x0ab" is not a name)"},
        {"/options/samples", nullptr, "options.budget_s: null beside no samples"},
        {"/unit", "s", R"(unit: "s" is not "ns", the unit of the clock)"},
        {"/options/clock", "instructions", R"(options.clock: "instructions" is another clock)"},
        {"/state", "a b", R"(state: "a b" is not a name)"},
        {"/arguments/0", 5, "arguments[0]: 5 is no text"},
        {"/environment/kernel", nullptr, "environment.kernel: null is no text"},
        {"/in_userns", 1, "in_userns: 1 is neither true nor false"},
        {"/base_set", "NEWUSER", R"(base_set: "NEWUSER" is not what such a run compares with)"},
        {"/options", 1, "options: 1 is no object"},
        {"/options/samples", -1, "options.samples: -1 is not a whole number from 1 to 40000"},
        {"/options/samples", 0, "options.samples: 0 is not"},
        {"/options/samples", 40001, "options.samples: 40001 is not"},
        {"/options/samples", 4.5, "options.samples: 4.5 is not"},
        {"/options/samples", "4", R"(options.samples: "4" is not)"},
        {"/options/block", 1001, "options.block: 1001 is not a whole number from 1 to 1000"},
        {"/options/lead_in", 17, "options.lead_in: 17 is not a whole number from 0 to 16"},
        {"/options/precision", 1e308, "options.precision: 1e+308 is not a number from 0 to 1"},
        {"/options/precision", 0, "options.precision: 0 is not above 0"},
        {"/options/precision", -0.02, "options.precision: -0.02 is not a number"},
        {"/options/budget_s", 0, "options.budget_s: 0 is not a number from 1e-09 to 1"},
        {"/options/budget_s", 1e300, "options.budget_s: 1e+300 is not a number"},
        {"/options/seed", -1, "options.seed: -1 is not a whole number"},
        {"/options/cpu", 4294967296, "options.cpu: 4294967296 is not a whole number from 0 to 1048576"},
        {"/options/cpu", -1, "options.cpu: -1 is not a whole number"},
        {"/options/cpu", "none", R"(options.cpu: "none" is neither any nor a CPU)"},
        {"/options/selection/op/0", "klone", R"(options.selection.op[0]: "klone" is not accepted)"},
        {"/options/selection/ns/1", "foo", R"(options.selection.ns[1]: "foo" is not accepted)"},
        {"/options/selection/with/stack", "1M", R"(options.selection.with.stack: "1M" is no array)"},
        {"/sampler/cpus/0", -1, "sampler.cpus[0]: -1 is not a whole number"},
        {"/sampler/capabilities", "200z", "sampler.capabilities: \"200z\" is no hexadecimal number"},
        {"/sampler/mappings", -1, "sampler.mappings: -1 is not a whole number"},
        {"/overhead/clock_read", -1, "overhead.clock_read: -1 is not a number"},
        {"/measuring/rounds", -1, "measuring.rounds: -1 is not a whole number from 0 to 1000000000"},
        {"/measuring/rounds", 4294967295, "measuring.rounds: 4294967295 is not"},
        {"/measuring/seconds", -0.5, "measuring.seconds: -0.5 is not a number"},
        {"/measuring/warm_up_seconds", 1e300, "measuring.warm_up_seconds: 1e+300 is not a number"},
        {"/measuring/drains_incomplete", 4,
         "measuring.drains_incomplete: 4 is not a whole number from 0 to 3"},
        {"/measuring/drain_unseen", 3, "measuring.drain_unseen: 3 is no text"},
        {"/measuring/block_shapes/net/lead_in", 17,
         "measuring.block_shapes.net.lead_in: 17 is not a whole number from 0 to 16"},
        {"/measuring/block_shapes/heavy", 1,
         "measuring.block_shapes: what stands there has \"heavy\", which is"},
        {"/measuring/blocks_in_round", 17,
         "measuring.blocks_in_round: 17 is not a whole number from 1 to 16"},
    };
    json_["arguments"] = {"--out=x"};
    json_["measuring"]["block_shapes"] = {{"net", {{"lead_in", 4}, {"samples", 4}}}};
    ASSERT_TRUE(parse_run_json(json_.dump(), "run.json"));
    for (const auto& [pointer, value, error] : table) {
        Json changed = json_;
        changed[Json::json_pointer(pointer)] = value;
        SCOPED_TRACE(pointer);
        const auto info = parse_run_json(changed.dump(), "run.json");
        ASSERT_FALSE(info);
        EXPECT_TRUE(info.error().starts_with(fmt::format("run.json: {}", error))) << info.error();
    }
}

TEST_F(RecordedTest, AMissingMemberIsNamed) {
    json_["options"].erase("alone");
    EXPECT_EQ(parse_run_json(json_.dump(), "run.json").error(),
              "run.json: options.alone: missing; not a run of this version of nsbench");
    EXPECT_EQ(parse_run_json("[]", "run.json").error(), "run.json: what stands there is no object");
}

TEST_F(RecordedTest, WhatIsNoJsonIsRefusedWithItsPlace) {
    const auto error = [](const std::string& text) { return parse_run_json(text, "run.json").error(); };
    EXPECT_EQ(error(""), "run.json:1:1: not JSON: the end of the file does not belong there");
    EXPECT_EQ(error("no json"), "run.json:1:2: not JSON: \"o\" does not belong there");
    EXPECT_EQ(error("{\n \"a\": \x01\n}"), "run.json:2:7: not JSON: \"\\x01\" does not belong there");
    EXPECT_EQ(error("{\"a\": \"\xff\"}"), "run.json:1:8: not JSON: \"\\xff\" does not belong there");
    EXPECT_TRUE(error("{\"schema_version\": 1e999}").starts_with("run.json: ")) << error("1e999");
    const std::string whole = run_json(info_);
    for (std::size_t size = 0; size + 2 < whole.size(); size += 7)
        ASSERT_TRUE(error(whole.substr(0, size)).starts_with("run.json:")) << size;
}

}  // namespace
}  // namespace nsb::run
