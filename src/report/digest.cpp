// The digest for a terminal: a block for each operation, as many beside each other as fit.
#include "report/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/cells.h"
#include "report/format.h"
#include "report/lines.h"

namespace nsb::report {
namespace {

constexpr std::size_t kGap = 4;           // between blocks
constexpr std::size_t kShortestBar = 12;  // that is worth another column of blocks
constexpr std::size_t kLongestBar = 48;
constexpr std::string_view kUnknown = "?";  // in the place of an interval

/// A line of a block, whose width is known although it may have colours.
struct Painted {
    std::size_t width = 0;
    std::string text;

    void add(std::string_view plain, std::string_view painted) {
        width += display_width(plain);
        text += painted;
    }
    void add(std::string_view plain) { add(plain, plain); }
};

struct Cells {
    std::string name, value, range;
    double share = 0;  ///< of the largest value, for the bar
    bool is_missing = false;
};

/// A block's texts, and how much room they take.
struct Prepared {
    std::string heading;
    std::vector<Cells> cells;
    std::size_t names = 0, values = 0, ranges = 0;
    std::size_t left_out = 0;

    [[nodiscard]] std::size_t without_bar() const { return names + 2 + values + 2 + ranges; }
    [[nodiscard]] std::size_t least() const {
        const std::size_t bar = cells.size() > 1 ? 2 + kShortestBar : 0;
        return std::max(display_width(heading), without_bar() + bar);
    }
};

void fit(Prepared& block) {
    for (const Cells& cells : block.cells) {
        block.names = std::max(block.names, display_width(cells.name));
        if (cells.is_missing) continue;
        block.values = std::max(block.values, display_width(cells.value));
        block.ranges = std::max(block.ranges, display_width(cells.range));
    }
}

Cells cells_of(const DigestBlock& block, const DigestEntry& entry, const RunIdentity& run) {
    if (!entry.figure) return {digest::entry_name(block, entry), digest::status_text(entry), "", 0, true};
    const std::string range = digest::range_text(*entry.figure, run);
    const double largest = block.entries.front().figure ? block.entries.front().figure->value : 0;
    return {digest::entry_name(block, entry), digest::value_text(block, entry.figure->value, run),
            range.empty() ? std::string(kUnknown) : range,
            largest > 0 ? std::max(0.0, entry.figure->value / largest) : 0, false};
}

/// Blocks of several entries; those of one are lines of a block without a heading, at the end.
std::vector<Prepared> prepare(const Digest& digest, const RunIdentity& run) {
    std::vector<Prepared> blocks;
    Prepared single;
    for (const DigestBlock& block : digest.blocks) {
        if (block.entries.size() == 1) {
            Cells cells = cells_of(block, block.entries.front(), run);
            cells.share = 0;
            cells.name =
                fmt::format("{}: {} {}", digest::block_name(block), cells.name,
                            block.base ? fmt::format("adds to {}", digest::base_name(block)) : "takes");
            single.cells.push_back(std::move(cells));
            continue;
        }
        Prepared prepared;
        prepared.heading = fmt::format("{}: {}", digest::block_name(block), digest::about(block));
        for (const DigestEntry& entry : block.entries) prepared.cells.push_back(cells_of(block, entry, run));
        prepared.left_out = block.left_out;
        fit(prepared);
        blocks.push_back(std::move(prepared));
    }
    fit(single);
    if (!single.cells.empty()) blocks.push_back(std::move(single));
    return blocks;
}

/// A bar of eighths of a column: at least one, where there is anything at all.
std::string bar_of(double share, std::size_t room) {
    static constexpr std::array<std::string_view, 8> kParts{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const auto eighths = static_cast<std::size_t>(std::lround(share * static_cast<double>(8 * room)));
    const std::size_t shown = share > 0 ? std::max<std::size_t>(1, eighths) : 0;
    std::string bar;
    for (std::size_t i = 0; i < shown / 8; ++i) bar += "█";
    return bar + std::string(kParts[shown % 8]);
}

std::vector<Painted> lines_of(const Prepared& block, std::size_t width, const Painter& painter) {
    std::vector<Painted> lines;
    if (!block.heading.empty()) lines.emplace_back().add(block.heading, painter.paint(kBold, block.heading));
    const std::size_t taken = block.without_bar() + 2;
    const std::size_t room = width > taken ? std::min(width - taken, kLongestBar) : 0;
    for (const Cells& cells : block.cells) {
        Painted& line = lines.emplace_back();
        line.add(pad_right(cells.name, block.names) + "  ");
        if (cells.is_missing) {
            line.add(cells.value, painter.paint(kYellow, cells.value));
            continue;
        }
        line.add(pad_left(cells.value, block.values) + "  ");
        const std::string bar = bar_of(cells.share, room);
        line.add(bar.empty() ? cells.range : pad_right(cells.range, block.ranges) + "  ");
        if (!bar.empty()) line.add(bar, painter.paint(kCyan, bar));
    }
    if (block.left_out > 0) lines.emplace_back().add(fmt::format("and {} more", block.left_out));
    return lines;
}

/// As many blocks in a row as fit, all of the same width.
std::string side_by_side(const std::vector<Prepared>& blocks, std::size_t width, const Painter& painter) {
    std::size_t least = 1;
    for (const Prepared& block : blocks) {
        if (!block.heading.empty()) least = std::max(least, block.least());
    }
    const std::size_t columns = std::max<std::size_t>(1, (width + kGap) / (least + kGap));
    const std::size_t each = (width + kGap) / columns - kGap;
    std::string text;
    for (std::size_t first = 0, count = 0; first < blocks.size(); first += count) {
        const bool is_alone = blocks[first].heading.empty();
        count = 1;
        while (!is_alone && count < columns && first + count < blocks.size() &&
               !blocks[first + count].heading.empty())
            ++count;
        std::vector<std::vector<Painted>> row;
        std::size_t height = 0;
        for (std::size_t i = first; i < first + count; ++i) {
            row.push_back(lines_of(blocks[i], is_alone ? width : each, painter));
            height = std::max(height, row.back().size());
        }
        if (!text.empty()) text += '\n';
        for (std::size_t y = 0; y < height; ++y) {
            std::string line;
            std::size_t missing = 0;  // columns up to the next block
            for (const std::vector<Painted>& block : row) {
                if (y < block.size()) {
                    line += std::string(missing, ' ') + block[y].text;
                    missing = 0;
                }
                const std::size_t used = y < block.size() ? block[y].width : 0;
                missing += each + kGap - std::min(used, each + kGap);
            }
            text += line + '\n';
        }
    }
    return text;
}

std::string heading(const DigestRun& run, const Digest& digest) {
    const std::string_view unit =
        run.identity.clock == TickClock::wall ? "figures" : "figures in instructions executed";
    if (run.has_machines) return fmt::format("{}, with how far saved machines vary", unit);
    const bool some_are_unknown = std::ranges::any_of(digest.blocks, [](const DigestBlock& block) {
        return std::ranges::any_of(
            block.entries, [](const DigestEntry& entry) { return entry.figure && !entry.figure->range(); });
    });
    return fmt::format(
        "{} with their {}{}", unit, digest::range_name(run),
        some_are_unknown ? fmt::format(" ({}: it takes {} rounds)", kUnknown, kMinForInterval) : "");
}

}  // namespace

std::string digest_text(const DigestRun& run, const Digest& digest, const DigestStyle& style) {
    const Painter painter(style.colour);
    const std::size_t width = style.width == 0 ? kUsualWidth : style.width;
    const std::vector<Prepared> blocks = prepare(digest, run.identity);
    std::string text;
    if (!blocks.empty())
        text +=
            painter.paint(kDim, heading(run, digest)) + "\n\n" + side_by_side(blocks, width, painter) + '\n';
    for (const DigestBlock& block : digest.blocks) {
        for (const std::string& line : digest::sum_lines(block, run.identity)) text += wrap(line, width);
    }
    for (const Missing& missing : digest.missing) {
        const std::string line = wrap(digest::missing_text(missing), width);
        text += painter.paint(kYellow, line.substr(0, line.size() - 1)) + '\n';
    }
    text += fmt::format("{}{}\n", digest::precision_text(run, digest),
                        style.below_table ? " (~: not that column)" : "");
    if (const std::string shown = digest::shown_text(digest); !style.below_table && !shown.empty())
        text += wrap(shown, width);
    for (const std::string& line : digest::base_lines(digest, run.identity)) text += wrap(line, width);
    return text;
}

}  // namespace nsb::report
