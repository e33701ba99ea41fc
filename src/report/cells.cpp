#include "report/cells.h"

#include <algorithm>

namespace nsb::report {
namespace {

bool begins_character(char byte) {
    return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U;
}

}  // namespace

std::size_t display_width(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

std::string pad_left(std::string_view text, std::size_t width) {
    return std::string(width - std::min(width, display_width(text)), ' ') + std::string(text);
}

std::string pad_right(std::string_view text, std::size_t width) {
    return std::string(text) + std::string(width - std::min(width, display_width(text)), ' ');
}

std::string elide(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string(text);
    std::string shown;
    std::size_t columns = 0;
    for (const char byte : text) {
        if (begins_character(byte) && ++columns >= width) break;
        shown += byte;
    }
    return width == 0 ? "" : shown + "…";
}

std::string flow(const std::string& head, const std::vector<std::string>& items, std::string_view between,
                 std::size_t width) {
    const std::size_t indent = display_width(head);
    std::string text = head;
    std::size_t column = indent;
    for (const std::string& item : items) {
        const bool is_last = &item == &items.back();
        const std::string shown = is_last ? item : item + std::string(between);
        // Blanks at the end of a line take no room.
        const std::size_t size = display_width(shown.substr(0, shown.find_last_not_of(' ') + 1));
        if (width != 0 && column > indent && column + size > width) {
            text.erase(text.find_last_not_of(' ') + 1);
            text += '\n' + std::string(indent, ' ');
            column = indent;
        }
        text += shown;
        column += display_width(shown);
    }
    return text + '\n';
}

}  // namespace nsb::report
