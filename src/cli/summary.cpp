// The command `summary`: rows of results made from a recorded run's samples.
#include <fmt/format.h>

#include <utility>

#include "cli/commands.h"
#include "cli/outcome.h"
#include "cli/results.h"
#include "run/repeats.h"
#include "run/store.h"
#include "run/summary.h"

namespace nsb::cli {
namespace {

using Taken = std::pair<run::Store, run::Store::Recorded>;

/// The rows of a run's samples, with which its results.csv is written anew. What another way of counting
/// comes to is shown alone; the files stay those of the run's own.
run::Summary sum_up(Taken taken, const std::string& folder, Disturbed counted) {
    auto& [store, recorded] = taken;
    const Disturbed own = std::exchange(recorded.info.options.disturbed, counted);
    run::Summary summary = run::sum_up(std::move(recorded), folder);
    if (counted == own) store.save_rows(summary.info, summary.rows);
    return summary;
}

/// Likewise of all repeats that are complete; where none is, of the first one as far as it came.
run::Summary sum_up_repeats(Taken taken, const std::string& folder, Disturbed counted) {
    auto& [store, recorded] = taken;
    run::RunInfo& whole = recorded.info;
    const Disturbed own = std::exchange(whole.options.disturbed, counted);
    run::Repeats complete;
    run::Repeats begun;
    for (std::uint32_t number = 1; number <= whole.repeat->count; ++number) {
        auto repeat = store.reopen_repeat(whole, number);
        if (!repeat) continue;
        const bool is_complete = repeat->second.info.repeat->complete;
        // One that was stopped before its first round has nothing, and is no reason to refuse the others.
        if (!is_complete && (begun.size() > 0 || repeat->second.series.empty())) continue;
        (is_complete ? complete : begun)
            .add(sum_up(std::move(*repeat), fmt::format("{}/{}", folder, run::name_of_repeat(number)),
                        counted));
    }
    if (complete.size() + begun.size() == 0)
        throw run::StoreError(
            fmt::format("{}: none of its {} repeats is there", folder, whole.repeat->count));
    run::Summary summary = run::sum_up(whole, complete.size() > 0 ? complete : begun);
    if (counted == own) store.save_rows(summary.info, summary.rows);
    return summary;
}

}  // namespace

int run_summary(const Options& options) {
    auto taken = run::Store::reopen(options.folder);
    const bool has_repeats = taken.second.info.is_of_repeats();
    const Disturbed own = taken.second.info.options.disturbed;
    const Disturbed counted = options.disturbed.value_or(own);
    const run::Summary summed =
        (has_repeats ? sum_up_repeats : sum_up)(std::move(taken), options.folder, counted);
    if (!options.quiet && !is_output_taken(options))
        print(fmt::format("{}\n", environment_lines(summed.info)));
    print_results(options, summed, "",
                  counted == own
                      ? ""
                      : fmt::format("results.csv is left as it is, with --disturbed={}\n", to_string(own)));
    return exit_code(summed.info, summed.rows);
}

}  // namespace nsb::cli
