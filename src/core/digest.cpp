#include "core/digest.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace nsb {
namespace {

/// Sets of several kinds that a block shows where no kind was measured alone.
constexpr std::size_t kMostSets = 8;

/// The parameters that entries of one block have alike: all but the one that they are about, if there is one.
ParameterValues alike(const Case& c) {
    const auto about = compared(c.operation);
    return about ? c.with(*about, 0).values : c.values;
}

bool is_first(const Row& row) {
    return row.phase == row.measured.phases().front();
}

/// The rows of an operation's first phase; a twin is compared with itself, and says nothing of its kinds.
std::vector<const Row*> rows_of(std::span<const Row> rows, Operation operation) {
    std::vector<const Row*> found;
    for (const Row& row : rows) {
        if (row.measured.operation == operation && is_first(row) && row.measured.value(Parameter::twin) == 0)
            found.push_back(&row);
    }
    return found;
}

/// Those that blocks are about: the headlines, in one; where there are none, one for all with the same
/// parameters: the kinds alone, or where there are none either, the sets.
std::vector<std::vector<const Row*>> choose(const std::vector<const Row*>& rows, KindSet base_set) {
    const auto those = [&](auto is_one) {
        std::vector<const Row*> found;
        std::ranges::copy_if(rows, std::back_inserter(found), [&](const Row* row) {
            return !kinds_of(row->measured, base_set).empty() && is_one(row->measured);
        });
        return found;
    };
    auto headlines = those([&](const Case& c) { return is_headline(c, base_set); });
    if (!headlines.empty()) return {std::move(headlines)};
    std::vector<ParameterValues> kinds_of_parameters;
    for (const Row* row : rows) {
        if (std::ranges::find(kinds_of_parameters, alike(row->measured)) == kinds_of_parameters.end())
            kinds_of_parameters.push_back(alike(row->measured));
    }
    std::vector<std::vector<const Row*>> all;
    for (const ParameterValues& values : kinds_of_parameters) {
        auto chosen =
            those([&](const Case& c) { return alike(c) == values && kinds_of(c, base_set).size() == 1; });
        if (chosen.empty()) chosen = those([&](const Case& c) { return alike(c) == values; });
        if (!chosen.empty()) all.push_back(std::move(chosen));
    }
    return all;
}

DigestEntry entry_of(const Row& row, bool of_delta, KindSet base_set) {
    DigestEntry entry{row.measured, kinds_of(row.measured, base_set), row.status, row.error, row.reason,
                      std::nullopt};
    if (of_delta && row.delta) {
        entry.figure = Quantity{row.delta->value, row.delta->ci, row.delta->resolution};
    } else if (!of_delta && row.figures) {
        entry.figure = Quantity{row.figures->median, row.figures->ci, row.resolution};
    }
    return entry;
}

DigestBlock block_of(std::span<const Row> rows, const std::vector<const Row*>& chosen, KindSet base_set) {
    const Operation operation = chosen.front()->measured.operation;
    const auto with_delta =
        std::ranges::find_if(chosen, [](const Row* row) { return row->delta.has_value(); });
    DigestBlock block{operation, chosen.front()->phase, std::nullopt, true, {}, 0, std::nullopt};
    if (with_delta != chosen.end()) block.base = (*with_delta)->delta->base;
    for (const Row* row : chosen) block.entries.push_back(entry_of(*row, block.base.has_value(), base_set));
    block.is_of_kinds =
        std::ranges::all_of(block.entries, [](const DigestEntry& entry) { return entry.kinds.size() == 1; });
    std::ranges::stable_sort(block.entries, std::ranges::greater{}, [](const DigestEntry& entry) {
        return entry.figure ? entry.figure->value : -HUGE_VAL;
    });
    if (!block.is_of_kinds && block.entries.size() > kMostSets) {
        block.left_out = block.entries.size() - kMostSets;
        block.entries.resize(kMostSets);
    }
    if (block.base) block.sums = set_sums(rows, *block.base);
    return block;
}

std::vector<Missing> missing_of(std::span<const Row> rows) {
    std::vector<Missing> all;
    bool is_missing = false;  // the case that the row is of, as a whole
    for (const Row& row : rows) {
        if (is_first(row)) is_missing = !row.figures;
        if (row.figures || (is_missing && !is_first(row))) continue;
        const std::optional<Phase> phase = is_first(row) ? std::nullopt : std::optional(row.phase);
        const auto like = std::ranges::find_if(all, [&](const Missing& one) {
            return one.status == row.status && one.phase == phase && one.error == row.error &&
                   one.reason == row.reason;
        });
        if (like == all.end()) {
            all.push_back({row.status, phase, row.error, row.reason, 1});
        } else {
            ++like->cases;
        }
    }
    return all;
}

void add_base(std::vector<BaseFigure>& all, const Row& row) {
    if (!row.figures || !is_first(row)) return;
    const Quantity figure{row.figures->median, row.figures->ci, row.resolution};
    const auto like = std::ranges::find_if(all, [&](const BaseFigure& one) {
        return one.measured.operation == row.measured.operation && one.measured.set == row.measured.set;
    });
    if (like == all.end()) {
        all.push_back({row.measured, row.phase, figure, 1, {figure.value, figure.value}});
        return;
    }
    ++like->cases;
    like->medians = {std::min(like->medians.low, figure.value), std::max(like->medians.high, figure.value)};
    if (row.measured == Case::of(row.measured.operation, row.measured.set)) {
        like->measured = row.measured;
        like->figure = figure;
    }
}

std::vector<BaseFigure> bases_of(std::span<const Row> rows, std::span<const Row> bases) {
    std::vector<Case> served;
    for (const Row& row : rows) {
        if (row.delta && is_first(row)) served.push_back(row.delta->base);
    }
    std::vector<BaseFigure> all;
    for (const Row& row : rows) {
        if (row.measured.set.empty() || std::ranges::find(served, row.measured) != served.end())
            add_base(all, row);
    }
    for (const Row& row : bases) add_base(all, row);
    return all;
}

}  // namespace

bool is_headline(const Case& c, KindSet base_set) {
    const OperationInfo& operation = info(c.operation);
    if (alike(c) != alike(Case::of(c.operation, c.set))) return false;
    const bool has_kinds_alone =
        std::ranges::any_of(kKinds, [&](const KindInfo& kind) { return operation.by_default(kind.kind); });
    if (has_kinds_alone) return kinds_of(c, base_set).size() <= 1;
    return operation.by_default(c.set) || operation.by_default(c.set - base_set);
}

KindSet kinds_of(const Case& c, KindSet base_set) {
    // Who has no base among its own cases is about all that it has.
    return c.has(Trait::held) || !info(c.operation).takes(KindSet{}) ? c.set : c.set - base_set;
}

std::optional<Interval> Quantity::range() const {
    return resolution ? Interval{value - *resolution, value + *resolution} : ci;
}

bool Digest::has(const Case& c) const {
    return std::ranges::any_of(blocks,
                               [&](const DigestBlock& block) {
                                   return std::ranges::find(block.entries, c, &DigestEntry::measured) !=
                                          block.entries.end();
                               }) ||
           std::ranges::find(bases, c, &BaseFigure::measured) != bases.end();
}

Digest digest_of(std::span<const Row> rows, std::span<const Row> bases, KindSet base_set) {
    Digest digest;
    for (const OperationInfo& operation : kOperations) {
        for (const auto& chosen : choose(rows_of(rows, operation.operation), base_set))
            digest.blocks.push_back(block_of(rows, chosen, base_set));
    }
    digest.missing = missing_of(rows);
    digest.bases = bases_of(rows, bases);
    std::map<Case, bool> precise;
    for (const Row& row : rows) {
        const bool good = row.phase == Phase::drain || row.status == Status::ok;
        bool& so_far = precise.try_emplace(row.measured, true).first->second;
        so_far = so_far && good;
    }
    digest.cases = precise.size();
    digest.shown = static_cast<std::size_t>(
        std::ranges::count_if(precise, [&](const auto& entry) { return digest.has(entry.first); }));
    digest.precise = static_cast<std::size_t>(
        std::ranges::count_if(precise, [](const auto& entry) { return entry.second; }));
    return digest;
}

}  // namespace nsb
