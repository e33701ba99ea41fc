#include "run/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

namespace nsb::run {
namespace {

/// The plan's cases in its order, also those that were not reached; then the others, which are bases.
void put_in_order(std::vector<Series>& series, const std::vector<Case>& plan) {
    std::map<Case, std::size_t> place;
    for (const Case& c : plan) place.try_emplace(c, place.size());
    std::set<Case> there;
    for (const Series& s : series) there.insert(s.measured);
    for (const Case& c : plan) {
        if (there.insert(c).second) series.push_back({c, {}, {}});
    }
    std::ranges::stable_sort(series, {}, [&](const Series& s) {
        const auto at = place.find(s.measured);
        return at == place.end() ? plan.size() : at->second;
    });
}

}  // namespace

std::vector<Row> rows_of_bases(std::span<const Series> bases, const RowContext& context) {
    std::vector<Row> rows;
    for (const Series& series : bases)
        std::ranges::move(make_rows(without_rounds(series, context.left_out), nullptr, context),
                          std::back_inserter(rows));
    return rows;
}

Summary sum_up(Store::Recorded recorded, const std::string& folder) {
    RunInfo& info = recorded.info;
    std::vector<Series>& series = recorded.series;
    auto plan = make_plan(info.options.selection);
    if (!plan) throw StoreError(fmt::format("{}/run.json: {}", folder, plan.error()));
    if (info.in_userns) std::ranges::transform(*plan, plan->begin(), &Case::through_userns);
    if (series.empty()) {
        throw StoreError(fmt::format(
            "{}: no samples.csv, or none in it; one that was compressed is unpacked by xz -dk samples.csv.xz",
            folder));
    }
    put_in_order(series, *plan);
    const RowContext context = info.row_context();
    info.kept_whole = kept_whole(series, context.left_out);
    std::vector<Row> rows = rows_of(series, plan->size(), context);
    std::vector<Row> bases = rows_of_bases(std::span(series).subspan(plan->size()), context);
    return {std::move(info), std::move(rows), std::move(bases)};
}

}  // namespace nsb::run
