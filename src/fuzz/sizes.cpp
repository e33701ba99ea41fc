#include "core/load.h"
#include "core/text.h"
#include "fuzz/target.h"

namespace nsb::fuzz {

void sizes(std::string_view input) {
    if (const auto size = parse_size(input))
        must_hold(parse_size(format_size(*size)) == *size, "a size that is written is read again");
    if (const auto time = parse_duration(input)) {
        must_hold(time->count() > 0 && static_cast<double>(time->count()) < kForeverNs,
                  "a time is above zero, and ends");
    }
    if (const auto percentage = parse_percentage(input))
        must_hold(*percentage > 0 && *percentage <= kMostPercent / 100,
                  "a percentage is above 0% and up to 100%");
    if (const auto count = parse_count(input, 3, 1000))
        must_hold(*count >= 3 && *count <= 1000, "a number is in its range");
    if (const auto rate = parse_rate(input)) {
        const auto again = parse_rate(format_rate(*rate));
        must_hold(again.has_value(), "a rate that is written can be read");
        must_hold(format_rate(*again) == format_rate(*rate), "a rate that is written is read again");
    }
}

}  // namespace nsb::fuzz
