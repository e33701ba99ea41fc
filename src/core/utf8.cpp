#include "core/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/locale/utf.hpp>
#include <charconv>

namespace nsb {
namespace {

using Utf8 = boost::locale::utf::utf_traits<char>;

constexpr std::string_view kMark = "\xEF\xBF\xBD";  // U+FFFD, the replacement character
constexpr boost::locale::utf::code_point kMarkPoint = 0xFFFD;

void append_escaped(std::string& text, std::string_view bytes) {
    for (const char byte : bytes) text += fmt::format("{}{:02X}", kMark, static_cast<unsigned char>(byte));
}

}  // namespace

std::string as_utf8(std::string_view bytes) {
    if (std::ranges::none_of(bytes, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
        return std::string(bytes);
    }
    std::string text;
    while (!bytes.empty()) {
        const char* end = bytes.data();
        const auto point = Utf8::decode(end, bytes.data() + bytes.size());
        const bool is_one = boost::locale::utf::is_valid_codepoint(point);
        const std::string_view next =
            bytes.substr(0, is_one ? static_cast<std::size_t>(end - bytes.data()) : 1);
        if (is_one && point != kMarkPoint) {
            text += next;
        } else {
            append_escaped(text, next);
        }
        bytes.remove_prefix(next.size());
    }
    return text;
}

std::string from_utf8(std::string_view text) {
    std::string bytes;
    for (;;) {
        const std::size_t mark = text.find(kMark);
        bytes += text.substr(0, mark);
        if (mark == std::string_view::npos) return bytes;
        text.remove_prefix(mark + kMark.size());
        const std::string_view digits = text.substr(0, 2);
        unsigned value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (error == std::errc{} && end == digits.data() + 2) {
            bytes += static_cast<char>(value);
            text.remove_prefix(2);
        } else {
            bytes += kMark;
        }
    }
}

std::string csv_field(std::string_view bytes) {
    std::string field = as_utf8(bytes);
    std::ranges::replace_if(
        field, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
    if (field.find_first_of(",\"") == std::string::npos) return field;
    std::string text = "\"";
    for (const char c : field) {
        if (c == '"') text += '"';
        text += c;
    }
    return text + '"';
}

}  // namespace nsb
