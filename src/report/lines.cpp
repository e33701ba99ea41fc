#include "report/lines.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "report/cells.h"

namespace nsb::report {

std::string wrap(std::string_view text, std::size_t width) {
    constexpr std::string_view kIndent = "  ";
    const std::size_t lead = std::min(text.find_first_not_of(' '), text.size());
    std::string wrapped(lead, ' ');
    std::size_t column = lead;
    bool is_first = true;  // of its line
    for (const std::string& word : split(text.substr(lead), " ")) {
        const std::size_t room = display_width(word);
        if (width != 0 && !is_first && column + 1 + room > width) {
            wrapped += fmt::format("\n{}{}", std::string(lead, ' '), kIndent);
            column = lead + kIndent.size();
            is_first = true;
        }
        wrapped += fmt::format("{}{}", is_first ? "" : " ", word);
        column += room + (is_first ? 0 : 1);
        is_first = false;
    }
    return wrapped + '\n';
}

std::string Painter::paint(std::string_view colour, std::string_view text) const {
    return colours_ ? fmt::format("{}{}\033[0m", colour, text) : std::string(text);
}

}  // namespace nsb::report
