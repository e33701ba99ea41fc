#include <gtest/gtest.h>

#include <cerrno>
#include <sstream>

#include "core/repeats.h"
#include "core/test_samples.h"
#include "report/csv.h"
#include "report/dictionary.h"
#include "report/table.h"

namespace nsb::report {
namespace {

const RunIdentity kRun{"20260101T000000Z-0", "6.1.0", TickClock::wall};

std::vector<Row> rows() {
    const auto series = [](KindSet set, double value) {
        Series s{Case::of(Operation::clone, set), {}, {}};
        for (std::uint32_t round = 1; round <= 6; ++round) {
            s.samples.push_back(alike({round, 0, true}, value + round));
        }
        return s;
    };
    const Series none = series({}, 33000);
    const Series net = series(Kind::net, 350000);
    Series time{
        Case::of(Operation::clone, Kind::time), {}, protocol::Failure{protocol::Call::clone3, ENOSYS}};
    std::vector<Row> all = make_rows(none, nullptr, {});
    for (const Row& row : make_rows(net, &none, {})) all.push_back(row);
    for (const Row& row : make_rows(time, &none, {})) all.push_back(row);
    return all;
}

TEST(ResultsCsv, HasTheColumnsOfTheContract) {
    EXPECT_EQ(
        csv_header(result_columns()),
        "run_id,kernel,clock,case,operation,namespaces,syscall,stack_bytes,spawn,parallel,phase,unit,samples,"
        "median,ci_low,ci_high,precision,min,mean,stddev,p90,p99,max,outliers_mild,outliers_severe,delta,"
        "delta_low,delta_high,status,errno,reason,state,resolution,delta_resolution,machines,position,first,"
        "steady,last,repeats,scatter,base\n");
}

TEST(ResultsCsv, GoldenRows) {
    std::istringstream lines(results_csv(kRun, rows()));
    std::string line;
    std::getline(lines, line);
    std::getline(lines, line);
    EXPECT_EQ(
        line,
        "20260101T000000Z-0,6.1.0,wall,clone/none/"
        "stack:1M,clone,none,clone,1048576,fork,1,create,ns,6,33003.500,"
        "32998.226,33008.774,0.00016,33001,33003.500,1.871,33005.500,33005.950,33006,0,0,,,,ok,,,,,,,,,,,,,");
    while (std::getline(lines, line) && line.find("NEWTIME") == std::string::npos) {
    }
    EXPECT_EQ(line,
              "20260101T000000Z-0,6.1.0,wall,clone/NEWTIME/"
              "stack:1M,clone,NEWTIME,clone3,1048576,fork,1,create,ns,,,,,,,,"
              ",,,,,,,,,skipped,ENOSYS,clone3: Function not implemented (no such system call: the kernel or "
              "a seccomp "
              "filter does not have it),,,,,,,,,,,");
}

TEST(ResultsCsv, SaysWhatSavedMachinesSay) {
    Series series{Case::of(Operation::unshare, {}), {}, {}};
    for (const std::uint32_t machine : {1U, 2U, 3U}) {
        for (std::uint32_t round = 1; round <= 10; ++round) {
            series.samples.push_back(alike({round, 0, true, {}, machine}, 100 * machine));
        }
    }
    const RunIdentity lab{"r", "6.1", TickClock::instructions, "fresh"};
    const std::string text = results_csv(lab, make_rows(series, nullptr, {}));
    EXPECT_NE(text.find(",fresh,100,,3,0.000,200,200,200,,,\n"), std::string::npos) << text;
}

TEST(ResultsCsv, SaysWhatRepeatsSay) {
    std::vector<std::vector<Row>> repeats;
    for (const double median : {100.0, 110.0, 120.0}) {
        Series series{Case::of(Operation::unshare, {}), {}, {}};
        for (std::uint32_t round = 1; round <= 6; ++round) {
            series.samples.push_back(alike({round, 0, true}, median + round / 10.0));
        }
        repeats.push_back(make_rows(series, nullptr, {}));
    }
    const std::string text = results_csv(kRun, combine_repeats(repeats, 0.02));
    std::istringstream lines(text);
    std::string line;
    std::getline(lines, line);
    std::getline(lines, line);
    EXPECT_EQ(
        line,
        "20260101T000000Z-0,6.1.0,wall,unshare/none,unshare,none,unshare,,,1,create,ns,18,110.350,87.803,"
        "137.926,0.22711,100.100,110.350,8.404,110.550,110.595,120.600,0,0,,,,imprecise,,\"22.7% reached of "
        "2%, between repeats\",,,,,,,,,3,between,");
}

TEST(ResultsCsv, IsTextWhateverWasSaid) {
    const RunIdentity odd{"r", "6.1\xff\r\x0b\"x\"\n", TickClock::wall};
    const std::string text = results_csv(odd, rows());
    EXPECT_NE(text.find("r,\"6.1\uFFFDFF  \"\"x\"\" \",wall"), std::string::npos) << text;
    EXPECT_EQ(text.find_first_of("\xff\r\x0b"), std::string::npos);
}

TEST(SplitCsv, UndoesQuotes) {
    EXPECT_EQ(split_csv("a,\"b,c\",,d"), (std::vector<std::string>{"a", "b,c", "", "d"}));
    EXPECT_EQ(split_csv(R"("""d""","",x"y,"a,""b",)"),
              (std::vector<std::string>{R"("d")", "", R"(x"y)", R"(a,"b)", ""}));
    EXPECT_EQ(split_csv(R"("open,)"), std::vector<std::string>{"open,"});
    EXPECT_EQ(split_csv(R"("a"b,"")"), (std::vector<std::string>{"ab", ""}));
}

TEST(SplitCsv, TakesAnyByteForItself) {
    for (int byte = 1; byte < 256; ++byte) {
        std::string field = "x?n";
        field[1] = static_cast<char>(byte);
        if (byte == ',' || byte == '"') continue;
        EXPECT_EQ(split_csv("a," + field), (std::vector<std::string>{"a", field})) << byte;
    }
}

TEST(Table, GoldenWide) {
    EXPECT_EQ(
        table(kRun, rows(), {}),
        R"(case                     create     95%      p99  adds to none  its 95% interval    ready     exit    total   drain
clone/none/stack:1M     33.0 µs  ±0.0%   33.0 µs                                  33.0 µs  33.0 µs  33.0 µs        
clone/NEWNET/stack:1M    350 µs  ±0.0%    350 µs       +317 µs   317 µs … 317 µs   350 µs   350 µs   350 µs  350 µs
clone/NEWTIME/stack:1M  skipped: ENOSYS: clone3: Function not implemented (no such system call: the kernel or a seccomp filter does not have it)
)");
}

TEST(Table, SaysWhatIsAddedToWhat) {
    std::vector<Row> through = rows();
    for (Row& row : through) {
        if (row.delta) row.delta->base.set = Kind::user;
    }
    EXPECT_NE(table(kRun, through, {}).find("  adds to NEWUSER  "), std::string::npos);
    const std::string csv = results_csv(kRun, through);
    EXPECT_NE(csv.find(",clone/NEWUSER/stack:1M\n"), std::string::npos) << csv;
    for (Row& row : rows()) through.push_back(row);
    EXPECT_NE(table(kRun, through, {}).find("  adds to base  "), std::string::npos);
}

TEST(Table, FitsTheWidth) {
    for (const std::size_t width : {60U, 80U, 100U, 132U}) {
        std::istringstream lines(table(kRun, rows(), {width, false, Sort::plan}));
        for (std::string line; std::getline(lines, line);) {
            if (line.find("skipped") != std::string::npos) continue;
            std::size_t columns = 0;
            for (const char c : line) columns += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1U : 0U;
            EXPECT_LE(columns, width) << line;
        }
    }
}

TEST(Table, SortsTheLargestFirstAndUnmeasuredLast) {
    const std::string text = table(kRun, rows(), {0, false, Sort::median});
    EXPECT_LT(text.find("NEWNET"), text.find("clone/none"));
    EXPECT_LT(text.find("clone/none"), text.find("NEWTIME"));
}

TEST(Table, ColoursOnlyWhenAsked) {
    EXPECT_EQ(table(kRun, rows(), {}).find('\033'), std::string::npos);
    EXPECT_NE(table(kRun, rows(), {0, true, Sort::plan}).find('\033'), std::string::npos);
}

TEST(Dictionary, HasThreeCellsInEachRowOfATable) {
    std::istringstream lines(dictionary_markdown());
    std::size_t rows = 0;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with('|')) continue;
        std::size_t bars = 0;
        for (std::size_t i = 0; i < line.size(); ++i)
            bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\') ? 1U : 0U;
        EXPECT_EQ(bars, 4U) << line;
        ++rows;
    }
    EXPECT_GT(rows, 100U);
}

}  // namespace
}  // namespace nsb::report
