#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "report/cells.h"
#include "report/format.h"
#include "report/lines.h"

namespace nsb::report {
namespace {

/// What create, its interval, what it adds and total take beside an id, and the least that an id's column
/// has.
constexpr std::size_t kFigureRoom = 48;
constexpr std::size_t kIndent = 4;

/// All rows of one case.
struct Line {
    std::vector<const Row*> rows;
    [[nodiscard]] const Row& first() const { return *rows.front(); }
    [[nodiscard]] const Case& measured() const { return first().measured; }
    /// The phase that a case is about comes first in its rows: create, switch, setgroups or mount.
    [[nodiscard]] bool has_figures() const { return first().figures.has_value(); }
};

struct TableColumn {
    std::string head;
    int keep;  ///< the lowest goes first where the width does not suffice
    std::function<std::string(const Line&)> cell;
};

double sort_key(const Line& line, Sort sort) {
    const Row& row = line.first();
    if (!row.figures) return -HUGE_VAL;
    switch (sort) {
        case Sort::median:
            return row.figures->median;
        case Sort::delta:
            return row.delta ? row.delta->value : -HUGE_VAL;
        case Sort::precision:
            return row.figures->precision.value_or(HUGE_VAL);
        default:
            return 0;
    }
}

void sort_lines(std::vector<Line>& lines, Sort sort) {
    if (sort == Sort::id) {
        std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
            return to_string(a.measured()) < to_string(b.measured());
        });
    } else if (sort != Sort::plan) {
        std::stable_sort(lines.begin(), lines.end(),
                         [&](const Line& a, const Line& b) { return sort_key(a, sort) > sort_key(b, sort); });
    }
}

std::string interval_text(const Row& row) {
    if (!row.figures->precision) return "?";
    return fmt::format("±{:.1f}%", 100 * *row.figures->precision);
}

/// By what deltas are taken against: none, or NEWUSER where every set has it.
std::string heading_of_delta(const std::vector<Line>& lines) {
    const Operation operation = lines.front().measured().operation;
    if (info(operation).base != operation) return "adds to ours";
    std::set<KindSet> sets;
    for (const Line& line : lines) {
        if (line.first().delta) sets.insert(line.first().delta->base.set);
    }
    if (sets.size() > 1) return "adds to base";
    return fmt::format("adds to {}", to_string(sets.empty() ? KindSet{} : *sets.begin()));
}

std::vector<TableColumn> make_columns(const RunIdentity& run, const std::vector<Line>& lines) {
    std::vector<TableColumn> columns;
    std::vector<Phase> phases;  // of the case that has most: not every one leaves something to drain
    for (const Line& line : lines) {
        if (line.rows.size() > phases.size()) phases = line.measured().phases();
    }
    const auto of_phase = [](const Line& line, Phase phase) -> const Row* {
        for (const Row* row : line.rows) {
            if (row->phase == phase && row->figures) return row;
        }
        return nullptr;
    };
    for (std::size_t i = 0; i < phases.size(); ++i) {
        const Phase phase = phases[i];
        const int keep = i == 0 ? 100 : phase == Phase::total ? 90 : phase == Phase::ready ? 10 : 50;
        columns.push_back({std::string(info(phase).name), keep, [=, &run](const Line& line) {
                               const Row* const row = of_phase(line, phase);
                               return row == nullptr ? std::string()
                                                     : format_ticks(row->figures->median, run);
                           }});
        if (i != 0) continue;
        columns.push_back({"95%", 80, [](const Line& line) {
                               return interval_text(line.first()) +
                                      (line.first().status == Status::ok ? " " : "~");
                           }});
        columns.push_back(
            {"p99", 20, [&run](const Line& line) { return format_ticks(line.first().figures->p99, run); }});
        columns.push_back({heading_of_delta(lines), 70, [&run](const Line& line) -> std::string {
                               const auto& delta = line.first().delta;
                               if (!delta) return "";
                               return fmt::format("{}{}", delta->value < 0 ? "" : "+",
                                                  format_ticks(delta->value, run));
                           }});
        columns.push_back({"varies by", 60, [&run](const Line& line) -> std::string {
                               const Row& row = line.first();
                               const auto resolution = row.delta ? row.delta->resolution : row.resolution;
                               return resolution ? fmt::format("±{}", format_ticks(*resolution, run)) : "";
                           }});
        columns.push_back({"its 95% interval", 15, [&run](const Line& line) -> std::string {
                               const auto& delta = line.first().delta;
                               if (!delta || !delta->ci) return "";
                               return fmt::format("{} … {}", format_ticks(delta->ci->low, run),
                                                  format_ticks(delta->ci->high, run));
                           }});
    }
    return columns;
}

std::size_t width_of(const TableColumn& column, const std::vector<Line>& lines) {
    std::size_t width = display_width(column.head);
    for (const Line& line : lines) {
        if (line.has_figures()) width = std::max(width, display_width(column.cell(line)));
    }
    return width;
}

/// Leaves out the columns that matter least until the rest fits beside the ids.
void fit(std::vector<TableColumn>& columns, const std::vector<Line>& lines, std::size_t id_width,
         std::size_t width) {
    // A phase that no line has figures of (a drain that cannot be seen) takes no room.
    std::erase_if(columns, [&](const TableColumn& column) {
        return std::none_of(lines.begin(), lines.end(), [&](const Line& line) {
            return line.has_figures() && !column.cell(line).empty();
        });
    });
    const auto total = [&] {
        std::size_t sum = id_width;
        for (const TableColumn& column : columns) sum += 2 + width_of(column, lines);
        return sum;
    };
    while (width != 0 && columns.size() > 1 && total() > width) {
        columns.erase(std::min_element(columns.begin(), columns.end(),
                                       [](const auto& a, const auto& b) { return a.keep < b.keep; }));
    }
}

std::string render(const RunIdentity& run, std::vector<Line>& lines, const TableStyle& style) {
    sort_lines(lines, style.sort);
    std::size_t id_width = display_width("case");
    for (const Line& line : lines) id_width = std::max(id_width, to_string(line.measured()).size());
    // An id that would leave too little room for figures gets a line of its own.
    if (style.width != 0)
        id_width = std::min(id_width, std::max(kFigureRoom, style.width) - kFigureRoom + kIndent);
    std::vector<TableColumn> columns = make_columns(run, lines);
    fit(columns, lines, id_width, style.width);

    const Painter painter(style.colour);
    std::vector<std::size_t> widths;
    std::string head = pad_right("case", id_width);
    for (const TableColumn& column : columns) {
        widths.push_back(width_of(column, lines));
        head += "  " + pad_left(column.head, widths.back());
    }
    std::string text = painter.paint(kBold, head) + '\n';
    for (const Line& line : lines) {
        const Row& row = line.first();
        std::string out = pad_right(to_string(line.measured()), id_width);
        if (display_width(out) > id_width && line.has_figures()) out += '\n' + std::string(id_width, ' ');
        if (!line.has_figures()) {
            const std::string error = row.error.empty() ? "" : row.error + ": ";
            out += "  " +
                   painter.paint(kYellow, fmt::format("{}: {}{}", to_string(row.status), error, row.reason));
        } else {
            for (std::size_t i = 0; i < columns.size(); ++i) {
                out += "  " + pad_left(columns[i].cell(line), widths[i]);
            }
            if (row.status != Status::ok) out = painter.paint(kDim, out);
        }
        text += out + '\n';
    }
    return text;
}

}  // namespace

std::string table(const RunIdentity& run, const std::vector<Row>& rows, const TableStyle& style) {
    std::vector<Line> lines;
    for (const Row& row : rows) {
        if (lines.empty() || lines.back().measured() != row.measured) lines.emplace_back();
        lines.back().rows.push_back(&row);
    }
    // Operations with the same phases share a block, in the order of the plan.
    std::vector<std::pair<std::uint32_t, std::vector<Line>>> blocks;
    for (Line& line : lines) {
        const std::uint32_t phases = info(line.measured().operation).phases.bits;
        auto block =
            std::find_if(blocks.begin(), blocks.end(), [&](const auto& b) { return b.first == phases; });
        if (block == blocks.end()) block = blocks.insert(blocks.end(), {phases, {}});
        block->second.push_back(std::move(line));
    }
    std::string text;
    for (auto& [phases, block] : blocks) {
        if (!text.empty()) text += '\n';
        text += render(run, block, style);
    }
    return text;
}

}  // namespace nsb::report
