#include "report/tree_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "report/cells.h"
#include "report/format.h"

namespace nsb::report {
namespace {

constexpr std::size_t kStep = 2;  ///< of indentation, where there is room
constexpr std::string_view kUnknown = "?";
constexpr std::string_view kNone = "-";

struct TreeColumn {
    std::string head;
    int keep;                          ///< the lowest goes first where the width does not suffice
    std::vector<std::string> cells{};  ///< of each line
};

/// A function; or a stage, which has no node.
struct TreeLine {
    std::size_t depth;
    std::string_view name;
    const CallNode* node;
};

class Tree {
  public:
    Tree(const RunIdentity& run, const ProbedCase& probed)
        : run_(run), probed_(probed), sampled_(sum_of_call(probed)) {
        const std::string_view phase = info(probed.measured.phases().front()).name;
        stage(Stage::call, phase);
        stage(Stage::prepare, "prepare");
        stage(Stage::destroy, "destroy");
        stage(Stage::async, "async (amortised over a batch)");
        column("calls/op", 2, [](const CallNode& node) {
            return node.calls ? fmt::format("{:.2f}", *node.calls) : std::string(kUnknown);
        });
        column("total", 5, [this](const CallNode& node) { return ticks(node.total); });
        column("self", 3, [this](const CallNode& node) { return ticks(node.self); });
        column("waiting", 1, [this](const CallNode& node) { return ticks(node.waiting); });
        column(fmt::format("of {}", phase), 4, [this](const CallNode& node) { return share(node); });
    }

    std::string text(std::size_t width) {
        while (width != 0 && columns_.size() > 1 && figures() + names(1) > width) {
            columns_.erase(std::ranges::min_element(columns_, {}, &TreeColumn::keep));
        }
        const std::size_t room = width == 0 ? names(kStep) : width - std::min(width, figures());
        const std::size_t step = names(kStep) <= room ? kStep : 1;
        const std::size_t name_width = std::min(room, names(step));
        std::string text = pad_right(kHead, name_width);
        for (const TreeColumn& column : columns_) text += "  " + pad_left(column.head, width_of(column));
        text += '\n';
        for (std::size_t i = 0; i < lines_.size(); ++i) {
            const TreeLine& line = lines_[i];
            std::string out = elide(std::string(step * line.depth, ' ') + std::string(line.name), name_width);
            out = pad_right(out, name_width);
            for (const TreeColumn& column : columns_)
                out += "  " + pad_left(column.cells[i], width_of(column));
            out.erase(out.find_last_not_of(' ') + 1);
            text += out + '\n';
        }
        return text;
    }

  private:
    static constexpr std::string_view kHead = "function";

    void stage(Stage wanted, std::string_view heading) {
        const std::size_t before = lines_.size();
        lines_.push_back({0, heading, nullptr});
        children({}, wanted, 1);
        if (lines_.size() == before + 1) lines_.pop_back();
    }

    void children(std::optional<std::size_t> caller, Stage wanted, std::size_t depth) {
        std::vector<std::size_t> own;
        for (std::size_t i = 0; i < probed_.calls.size(); ++i) {
            if (probed_.calls[i].caller == caller && probed_.calls[i].stage == wanted) own.push_back(i);
        }
        std::ranges::stable_sort(own, std::ranges::greater{},
                                 [&](std::size_t i) { return probed_.calls[i].total; });
        for (const std::size_t i : own) {
            const CallNode& node = probed_.calls[i];
            lines_.push_back({depth, kTraced[node.function].name, &node});
            children(i, wanted, depth + 1);
        }
    }

    /// Takes the column where it says anything.
    void column(std::string head, int keep, const std::function<std::string(const CallNode&)>& cell) {
        TreeColumn made{std::move(head), keep};
        bool says = false;
        for (const TreeLine& line : lines_) {
            made.cells.push_back(line.node == nullptr ? "" : cell(*line.node));
            const std::string& said = made.cells.back();
            says = says || !(said.empty() || said == kUnknown || said == kNone);
        }
        if (says) columns_.push_back(std::move(made));
    }

    [[nodiscard]] std::string ticks(double value) const {
        return value > 0 ? format_ticks(value, run_) : std::string(kNone);
    }

    /// Of the first phase; where stacks were sampled, the part of the system call's, with its 95% interval as
    /// a proportion.
    [[nodiscard]] std::string share(const CallNode& node) const {
        if (node.stage != Stage::call) return "";
        if (node.calls) {
            return probed_.first_phase > 0 ? fmt::format("{:.1f}%", 100 * node.total / probed_.first_phase)
                                           : "";
        }
        const double part = std::min(1.0, node.total / sampled_.ticks);
        const double error = 1.96 * std::sqrt(part * (1 - part) / std::max(1.0, sampled_.samples));
        return fmt::format("{:.1f}% ±{:.1f}", 100 * part, 100 * error);
    }

    static std::size_t width_of(const TreeColumn& column) {
        std::size_t width = display_width(column.head);
        for (const std::string& cell : column.cells) width = std::max(width, display_width(cell));
        return width;
    }

    /// What all columns of figures take.
    [[nodiscard]] std::size_t figures() const {
        std::size_t sum = 0;
        for (const TreeColumn& column : columns_) sum += 2 + width_of(column);
        return sum;
    }

    /// What the names take, indented by so much for each caller.
    [[nodiscard]] std::size_t names(std::size_t step) const {
        std::size_t width = kHead.size();
        for (const TreeLine& line : lines_) width = std::max(width, step * line.depth + line.name.size());
        return width;
    }

    const RunIdentity& run_;
    const ProbedCase& probed_;
    CallSum sampled_;
    std::vector<TreeLine> lines_;
    std::vector<TreeColumn> columns_;
};

}  // namespace

std::string tree_text(const RunIdentity& run, const ProbedCase& probed, std::size_t width) {
    return Tree(run, probed).text(width);
}

}  // namespace nsb::report
