#include "fuzz/target.h"
#include "sys/trace_record.h"

namespace nsb::fuzz {

void trace_format(std::string_view input) {
    for (const char* const field : {"function", "call_site"}) {
        const auto format = sys::parse_trace_format(input, field);
        if (format) must_hold(format->offset < sys::kMostOfRecord, "a field is where it is looked for");
    }
}

}  // namespace nsb::fuzz
