// Text in columns of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nsb::report {

/// Columns that a terminal shows, bytes that continue a UTF-8 character aside.
std::size_t display_width(std::string_view text);

std::string pad_left(std::string_view text, std::size_t width);
std::string pad_right(std::string_view text, std::size_t width);

/// The text, or its beginning and "…" where it is wider.
std::string elide(std::string_view text, std::size_t width);

/// Lines of at most `width` columns (0: one line) with a head, below which the others are indented: the items
/// one after the other, each whole. An item that has no room in any line has one of its own.
std::string flow(const std::string& head, const std::vector<std::string>& items, std::string_view between,
                 std::size_t width);

}  // namespace nsb::report
