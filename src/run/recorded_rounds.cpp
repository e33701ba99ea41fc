#include <cmath>

#include "core/utf8.h"
#include "run/fields.h"
#include "run/recorded.h"

namespace nsb::run {
namespace {

/// Columns that came later, the last ones: a run of an earlier nsbench has none of them.
constexpr std::size_t kLater = 2;
constexpr Range kCount{0, 1'000'000'000};
/// Up to here a double holds every microsecond.
constexpr double kMostSeconds = kMostTicks / 1e6;

/// Microseconds of a column in seconds.
std::int64_t microseconds(const Fields& fields, std::string_view column) {
    const double seconds = fields.time(column);
    if (seconds > kMostSeconds)
        fields.refuse(column, fmt::format("is not a time up to {:.0f}", kMostSeconds));
    return std::llround(seconds * 1e6);
}

template <typename Read>
std::optional<std::int64_t> perhaps(const Fields& fields, std::string_view column, Read read) {
    if (fields.text(column).empty()) return std::nullopt;
    return static_cast<std::int64_t>(read(column));
}

RoundMarks parse_marks(const Fields& fields) {
    const auto time = [&](std::string_view column) {
        return perhaps(fields, column, [&](std::string_view c) { return microseconds(fields, c); });
    };
    const auto count = [&](std::string_view column) {
        return perhaps(fields, column, [&](std::string_view c) { return fields.whole(c, kCount); });
    };
    RoundMarks marks;
    marks.round = fields.whole("round", {1, kRounds.high});
    marks.begin = microseconds(fields, "begin");
    marks.duration = microseconds(fields, "seconds");
    marks.steal = time("steal");
    marks.others = time("others");
    marks.kernel_threads = time("kernel_threads");
    marks.waited = time("waited");
    marks.switches = count("switches");
    marks.frequency = count("frequency");
    marks.throttles = count("throttles");
    marks.suspended = time("suspended");
    marks.moved = count("moved");
    const auto disturber = std::ranges::find(kDisturberNames, fields.text("disturbed"));
    if (disturber == kDisturberNames.end()) fields.refuse("disturbed", "is nothing that disturbs");
    marks.disturbed = static_cast<Disturber>(disturber - kDisturberNames.begin());
    return marks;
}

}  // namespace

tl::expected<std::vector<RoundMarks>, std::string> parse_rounds(const std::string& text,
                                                                std::string_view name) {
    std::vector<RoundMarks> rounds;
    const auto columns = report::round_columns();
    const auto read =
        each_line(whole(text), name, columns.first(columns.size() - kLater), [&](const Fields& fields) {
            if (!is_name(fields.text("run_id"))) fields.refuse("run_id", "is none");
            const RoundMarks marks = parse_marks(fields);
            if (!rounds.empty() && marks.round <= rounds.back().round)
                fields.refuse("round", "is not behind the one before");
            rounds.push_back(marks);
        });
    if (!read) return tl::unexpected(read.error());
    return rounds;
}

}  // namespace nsb::run
