#include "report/csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "core/utf8.h"
#include "fuzz/target.h"

namespace nsb::fuzz {

void csv(std::string_view input) {
    must_hold(from_utf8(as_utf8(input)) == input, "bytes that are written as UTF-8 are read again");
    must_hold(as_utf8(from_utf8(as_utf8(input))) == as_utf8(input), "and written alike");
    std::vector<std::string> fields;
    std::string line;
    for (const std::string& field : split(input, "\n")) {
        fields.push_back(as_utf8(field));
        std::ranges::replace_if(
            fields.back(), [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
        line += fmt::format("{}{}", fields.size() > 1 ? "," : "", csv_field(field));
    }
    must_hold(report::split_csv(line) == fields, "fields that are written are read again");
    (void)report::split_csv(std::string(input.substr(0, input.find('\n'))));
}

}  // namespace nsb::fuzz
