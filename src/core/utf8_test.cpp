#include "core/utf8.h"

#include <gtest/gtest.h>

namespace nsb {
namespace {

TEST(Utf8, WhatIsTextStaysAsItIs) {
    for (const char* const text : {"", "plain", "\\d{2}\\xff", "±µ → 𝛼 \xEF\xBF\xBE", "tab\tand\x01"}) {
        EXPECT_EQ(as_utf8(text), text);
        EXPECT_EQ(from_utf8(text), text);
    }
}

TEST(Utf8, BytesThatAreNoneAreShown) {
    EXPECT_EQ(as_utf8("b\xff.csv"), "b\uFFFDFF.csv");
    EXPECT_EQ(as_utf8("\xC3"), "\uFFFDC3");                                      // cut off
    EXPECT_EQ(as_utf8("\xC0\xAF"), "\uFFFDC0\uFFFDAF");                          // longer than need be
    EXPECT_EQ(as_utf8("\xED\xA0\x80"), "\uFFFDED\uFFFDA0\uFFFD80");              // half of a surrogate pair
    EXPECT_EQ(as_utf8("\xF4\x90\x80\x80"), "\uFFFDF4\uFFFD90\uFFFD80\uFFFD80");  // beyond U+10FFFF
    EXPECT_EQ(as_utf8("\xC3\xA4\xE2\x82z"), "ä\uFFFDE2\uFFFD82z");
}

TEST(Utf8, AFieldIsOneLine) {
    EXPECT_EQ(csv_field("plain"), "plain");
    EXPECT_EQ(csv_field("a\rb\nc\td"), "a b c d");
    EXPECT_EQ(csv_field("say \"a, b\"\n"), "\"say \"\"a, b\"\" \"");
    EXPECT_EQ(csv_field("\xff"),
              "\xEF\xBF\xBD"
              "FF");
}

TEST(Utf8, AllBytesComeBack) {
    std::string every;
    for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
    for (const std::string& bytes :
         {every, std::string(every.rbegin(), every.rend()), as_utf8(every), as_utf8(as_utf8(every)),
          std::string("\uFFFD"), std::string("\uFFFD41")}) {
        EXPECT_EQ(from_utf8(as_utf8(bytes)), bytes);
        EXPECT_EQ(as_utf8(bytes).find_first_of("\xC0\xC1\xF5\xFF"), std::string::npos);
    }
}

TEST(Utf8, AMarkWithoutDigitsIsText) {
    for (const char* const text : {"\uFFFD", "\uFFFDx", "\uFFFD4", "a\uFFFD-1"})
        EXPECT_EQ(from_utf8(text), text);
}

}  // namespace
}  // namespace nsb
