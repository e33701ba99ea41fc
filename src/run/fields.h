// Reading a CSV file of a run's folder again: each value is checked for its form and its range.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "core/text.h"
#include "report/csv.h"
#include "run/limits.h"
#include "run/lines.h"

namespace nsb::run {

/// The lines of a CSV file of ours, field by field, by the columns' names.
class Fields {
  public:
    template <typename Record>
    Fields(const std::string& header, std::span<const report::Column<Record>> columns) {
        const std::vector<std::string> names = report::split_csv(header);
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (!at_.try_emplace(names[i], i).second)
                throw Wrong{fmt::format("the column {} twice", shown(names[i]))};
        }
        for (const auto& column : columns) {
            if (!at_.contains(column.name))
                throw Wrong{fmt::format("no column '{}' in {}", column.name, shown(header))};
        }
    }

    void read(const std::string& line) {
        line_ = line;
        report::split_csv(line, values_);
        if (values_.size() != at_.size())
            throw Wrong{fmt::format("{} fields of {}: {}", values_.size(), at_.size(), shown(line))};
    }

    [[nodiscard]] const std::string& line() const { return line_; }
    /// Empty where the file has no such column.
    [[nodiscard]] const std::string& text(std::string_view column) const {
        static const std::string none;
        const auto found = at_.find(column);
        return found == at_.end() ? none : values_[found->second];
    }

    [[noreturn]] void refuse(std::string_view column, std::string_view why) const {
        throw Wrong{fmt::format("{}: {} {}", column, shown(text(column)), why)};
    }

    [[nodiscard]] std::uint32_t whole(std::string_view column, Range range) const {
        const auto value = parse_count(text(column), range);
        if (!value) refuse(column, "is not " + value.error());
        if (text(column).size() > 1 && text(column).front() == '0') refuse(column, "begins with a zero");
        return static_cast<std::uint32_t>(*value);
    }

    [[nodiscard]] double time(std::string_view column) const {
        const std::string& digits = text(column);
        const char* const last = digits.data() + digits.size();
        double value = 0;
        const auto [end, error] = std::from_chars(digits.data(), last, value, std::chars_format::fixed);
        if (!is_decimal(digits) || error != std::errc{} || end != last || value > kMostTicks)
            refuse(column, fmt::format("is not a time from 0 to {:.0f}", kMostTicks));
        return value;
    }

    void expect(std::string_view column, std::string_view value, std::string_view whose) const {
        if (text(column) != value) refuse(column, fmt::format("is not {}, {}", shown(value), whose));
    }

    void expect_empty(std::string_view column, std::string_view why) const {
        if (!text(column).empty()) refuse(column, why);
    }

  private:
    /// As it is written: digits, with a fraction or without.
    static bool is_decimal(std::string_view text) {
        const std::size_t point = std::min(text.find('.'), text.size());
        const std::string_view whole = text.substr(0, point);
        const std::string_view fraction = text.substr(std::min(point + 1, text.size()));
        const auto are_digits = [](std::string_view digits) {
            return !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
        };
        return are_digits(whole) && (whole.size() == 1 || whole.front() != '0') &&
               (point == text.size() || are_digits(fraction));
    }

    std::map<std::string, std::size_t, std::less<>> at_;
    std::vector<std::string> values_;
    std::string line_;
};

/// What was read of a CSV file.
struct ReadLines {
    std::string header;
    std::uint64_t lines = 0;  ///< behind it
    std::uint64_t bytes = 0;  ///< of all of it
};

/// Visits the lines behind the header, or so many of them, all of which have to be there: what is behind
/// these is not looked at. The error, of a file that is cut off or of what `visit` throws as Wrong, begins
/// with the file's name and the line.
template <typename Record, typename Visit>
tl::expected<ReadLines, std::string> each_line(NextPiece next, std::string_view name,
                                               std::span<const report::Column<Record>> columns, Visit visit,
                                               std::optional<std::uint64_t> count = std::nullopt) {
    ReadLines read;
    std::uint64_t number = 1;
    try {
        Lines lines(std::move(next));
        const auto header = lines.next();
        if (!header) throw Wrong{"the file ends within this line"};
        read.header = *header;
        Fields fields(*header, columns);
        for (; !count || read.lines < *count; ++read.lines) {
            ++number;
            const auto line = lines.next();
            if (!line && !count) break;
            if (!line)
                throw Wrong{fmt::format("the file ends before this line, and run.json says that it has {}",
                                        *count + 1)};
            fields.read(*line);
            visit(fields);
        }
        read.bytes = lines.bytes();
        return read;
    } catch (const Wrong& wrong) {
        return tl::unexpected(fmt::format("{}:{}: {}", name, number, printable(wrong.what)));
    }
}

}  // namespace nsb::run
