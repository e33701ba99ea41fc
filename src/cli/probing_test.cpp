// What is printed of a probed pass.
#include "cli/probing.h"

#include <gtest/gtest.h>

namespace nsb::cli {
namespace {

TEST(ProbeLines, SayWhichFilesHaveTreesThatAreNotPrinted) {
    run::RunInfo info;
    const Case measured = Case::of(Operation::clone, Kind::pid);
    const std::vector<Series> many(5, Series{measured, {}, {}});
    info.probe.emplace().cases.resize(many.size());
    for (ProbedCase& one : info.probe->cases) one.measured = measured;
    const auto lines = [&](const Options& options) { return probe_lines(options, info, many); };
    Options options;
    EXPECT_NE(lines(options).find("; --out=DIR writes all\n"), std::string::npos) << lines(options);
    Options written;
    written.out = "run";
    EXPECT_NE(lines(written).find("), all are in probe.csv and memory.csv\n"), std::string::npos);
    Options resumed;
    resumed.resume = "run";
    EXPECT_EQ(lines(resumed), lines(written));
}

}  // namespace
}  // namespace nsb::cli
