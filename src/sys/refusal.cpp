#include "sys/refusal.h"

#include <fmt/format.h>

#include "core/failure.h"

namespace nsb::sys {

std::string Refusal::text() const {
    std::string text = call;
    if (!arguments.empty()) text += fmt::format("({})", arguments);
    if (error != 0) text += fmt::format(": {}", errno_name(error));
    if (!remedy.empty()) text += fmt::format("; {}", remedy);
    return text;
}

}  // namespace nsb::sys
