#include "core/text.h"

#include <gtest/gtest.h>

namespace nsb {
namespace {

TEST(ParseSize, TakesBinaryMultiplesAndPlainBytes) {
    EXPECT_EQ(parse_size("16K"), 16384U);
    EXPECT_EQ(parse_size("1m"), 1048576U);
    EXPECT_EQ(parse_size("4096"), 4096U);
    EXPECT_EQ(parse_size("1T"), 1ULL << 40U);
}

TEST(ParseSize, RefusesWhatIsNoSize) {
    for (const char* text : {"", "K", "1KB", "3.5K", "-1", "1X", "99999999999T"}) {
        EXPECT_FALSE(parse_size(text)) << text;
    }
}

TEST(FormatSize, IsTheInverse) {
    for (const char* text : {"0", "1", "4096K", "16K", "1M", "64M", "2G", "100"}) {
        EXPECT_EQ(parse_size(format_size(*parse_size(text))), parse_size(text)) << text;
    }
    EXPECT_EQ(format_size(1048576), "1M");
    EXPECT_EQ(format_size(1500), "1500");
}

TEST(ParseDuration, NeedsAUnitAndMoreThanZero) {
    EXPECT_EQ(parse_duration("10s")->count(), 10'000'000'000);
    EXPECT_EQ(parse_duration("500ms")->count(), 500'000'000);
    EXPECT_EQ(parse_duration("1.5m")->count(), 90'000'000'000);
    for (const char* text : {"10", "s", "-1s", "0s", "1 s", "nans", "infs", "1e300s", "1d"}) {
        EXPECT_FALSE(parse_duration(text)) << text;
    }
}

TEST(Shown, IsQuotedEscapedAndShort) {
    EXPECT_EQ(shown("3x456"), R"("3x456")");
    EXPECT_EQ(shown("a\x01\"\\\xff\n"), R"("a\x01\"\\\xff\x0a")");
    EXPECT_EQ(shown(std::string(61, 'a')), "\"" + std::string(60, 'a') + "\"...");
}

TEST(IsName, TakesWhatNeedsNoQuotes) {
    EXPECT_TRUE(is_name("fresh-6.1_a"));
    for (const char* text : {"", "a b", "a/b", "\xc3\xa4", "a\n"}) EXPECT_FALSE(is_name(text)) << text;
}

TEST(ParsePercentage, IsAFractionAboveZero) {
    EXPECT_DOUBLE_EQ(*parse_percentage("2%"), 0.02);
    EXPECT_DOUBLE_EQ(*parse_percentage("100%"), 1.0);
    for (const char* text : {"2", "0%", "1e-323%", "-1%", "101%", "%", "nan%"})
        EXPECT_FALSE(parse_percentage(text)) << text;
}

TEST(ReachedOf, TellsTheTwoApart) {
    EXPECT_EQ(reached_of(0.2507, 0.02), "25.1% reached of 2%");
    EXPECT_EQ(reached_of(0.0203, 0.02), "2.03% reached of 2%");
    EXPECT_EQ(reached_of(0.0200104, 0.02), "2.001% reached of 2%");
    EXPECT_EQ(reached_of(0.02 + 1e-12, 0.02), "2% reached of 2%");
    EXPECT_EQ(reached_of(0.00613, 0.0001), "0.613% reached of 0.01%");
    EXPECT_EQ(reached_of(0.00613, 1e-6), "0.613% reached of 0.0001%");
    EXPECT_EQ(reached_of(0.99951, 0.9995), "99.951% reached of 99.95%");
    EXPECT_EQ(reached_of(9.996, 0.02), "1000% reached of 2%");
    EXPECT_EQ(reached_of(123.456, 1), "12346% reached of 100%");
}

TEST(NearestHint, NamesWhatIsCloseAndNothingElse) {
    const std::vector<std::string_view> names{"mnt", "NEWNET", "clone"};
    EXPECT_EQ(nearest_hint("newnte", names), "; nearest: 'NEWNET'");
    EXPECT_EQ(nearest_hint("clnoe", names), "; nearest: 'clone'");
    EXPECT_EQ(nearest_hint("entirelyelse", names), "");
    // Two letters more or fewer are close, three are not.
    EXPECT_EQ(nearest_hint("clo", names), "; nearest: 'clone'");
    EXPECT_EQ(nearest_hint("clonexy", names), "; nearest: 'clone'");
    EXPECT_EQ(nearest_hint("clonexyz", names), "");
    EXPECT_EQ(nearest_hint("", std::vector<std::string_view>{"vm"}), "");
    EXPECT_EQ(nearest_hint(std::string(100'000, 'x'), names), "");
}

}  // namespace
}  // namespace nsb
