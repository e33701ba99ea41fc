// The command `summary`: rows of results made from a recorded run's samples.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/outcome.h"
#include "report/table.h"
#include "run/store.h"

namespace nsb::cli {
namespace {

/// The plan's cases in its order, also those that were not reached; then the others, which are bases.
void put_in_order(std::vector<Series>& series, const std::vector<Case>& plan) {
    for (const Case& c : plan) {
        if (std::ranges::find(series, c, &Series::measured) == series.end()) series.push_back({c, {}, {}});
    }
    std::ranges::stable_sort(series, {},
                             [&](const Series& s) { return std::ranges::find(plan, s.measured); });
}

}  // namespace

int run_summary(const Options& options) {
    auto [store, recorded] = run::Store::reopen(options.folder);
    run::RunInfo& info = recorded.info;
    // What another way of counting comes to is shown; the files stay those of the run's own.
    const bool is_recorded = !options.disturbed || *options.disturbed == info.options.disturbed;
    if (options.disturbed) info.options.disturbed = *options.disturbed;
    auto plan = make_plan(info.options.selection);
    if (!plan) throw UsageError(fmt::format("{}/run.json: {}", options.folder, plan.error()));
    if (info.in_userns) std::ranges::transform(*plan, plan->begin(), &Case::through_userns);
    std::vector<Series>& series = recorded.series;
    if (series.empty()) {
        throw run::StoreError(fmt::format(
            "{}: no samples.csv, or none in it; one that was compressed is unpacked by xz -dk samples.csv.xz",
            options.folder));
    }
    put_in_order(series, *plan);
    const std::vector<Row> rows = rows_of(series, plan->size(), info.row_context());
    info.kept_whole = kept_whole(series, info.row_context().left_out);
    if (is_recorded) store.save_rows(info, rows);
    if (!options.quiet) print(fmt::format("{}\n", environment_lines(info)));
    print(report::table(info.identity, rows, {terminal_width(), use_colour(), options.sort}));
    if (!options.quiet)
        print(fmt::format("\n{}", closing_lines(info, rows, std::span(series).subspan(plan->size()))));
    if (!is_recorded && !options.quiet)
        print(fmt::format(
            "results.csv is left as it is, with --disturbed={}\n",
            to_string(*options.disturbed == Disturbed::keep ? Disturbed::drop : Disturbed::keep)));
    return exit_code(info, rows);
}

}  // namespace nsb::cli
