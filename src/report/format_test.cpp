#include "report/format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>

#include "report/csv.h"

namespace nsb::report {
namespace {

const RunIdentity kWall{"r", "6.1", TickClock::wall};
const RunIdentity kLab{"r", "6.1", TickClock::instructions};

TEST(Format, AgreesWithTheSharedVectors) {
    std::ifstream file(NSB_VECTORS);
    ASSERT_TRUE(file) << NSB_VECTORS;
    std::string line;
    std::getline(file, line);
    ASSERT_EQ(line, "what,value,text");
    std::size_t count = 0;
    for (; std::getline(file, line); ++count) {
        const std::vector<std::string> fields = split_csv(line);
        ASSERT_EQ(fields.size(), 3U) << line;
        const double value = std::stod(fields[1]);
        EXPECT_EQ(fields[0] == "bytes"    ? format_bytes(value)
                  : fields[0] == "change" ? format_change(value)
                                          : format_ticks(value, fields[0] == "wall" ? kWall : kLab),
                  fields[2])
            << line;
    }
    EXPECT_GT(count, 30U);
}

TEST(FormatTicks, NamesTheUnitOfTheClock) {
    EXPECT_EQ(format_ticks(20, kWall), "20.0 ns");
    EXPECT_EQ(format_ticks(1500, kWall), "1.50 µs");
    EXPECT_EQ(format_ticks(-2500000, kWall), "−2.50 ms");
    EXPECT_EQ(format_ticks(141350, kLab), "141 k");
}

TEST(Format, SaysWhatIsNoNumber) {
    EXPECT_EQ(format_ticks(std::nan(""), kWall), "nan ns");
    EXPECT_EQ(format_ticks(-0.0, kLab), "0");
    EXPECT_EQ(format_bytes(-0.0), "0 B");
}

}  // namespace
}  // namespace nsb::report
