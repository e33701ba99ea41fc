// The command `summary`: rows of results made from a recorded run's samples.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/outcome.h"
#include "report/table.h"
#include "run/runner.h"
#include "run/store.h"

namespace nsb::cli {
namespace {

/// The plan's cases in its order, those of them that have samples or failed; then the others, which are bases.
std::size_t put_in_order(std::vector<Series>& series, const std::vector<Case>& plan) {
    const auto place = [&](const Series& s) { return std::ranges::find(plan, s.measured); };
    std::ranges::stable_sort(series, {}, place);
    return static_cast<std::size_t>(
        std::ranges::count_if(series, [&](const Series& s) { return place(s) != plan.end(); }));
}

}  // namespace

int run_summary(const Options& options) {
    auto [store, recorded] = run::Store::reopen(options.folder);
    const run::RunInfo& info = recorded.info;
    auto plan = make_plan(info.options.selection);
    if (!plan) throw UsageError(plan.error());
    if (info.in_userns) std::ranges::transform(*plan, plan->begin(), &Case::through_userns);
    std::vector<Series>& series = recorded.series;
    const std::size_t planned = put_in_order(series, *plan);
    const std::vector<Row> rows =
        run::rows_of(series, planned, {info.options.precision, info.drain_unseen});
    store.save_rows(info, rows);
    if (!options.quiet) {
        print(fmt::format("{}\n", environment_lines(info)));
        print(report::table(info.identity, rows, {terminal_width(), use_colour(), options.sort}));
        print(fmt::format("\n{}", closing_lines(info, rows, std::span(series).subspan(planned))));
    }
    return exit_code(info, rows);
}

}  // namespace nsb::cli
