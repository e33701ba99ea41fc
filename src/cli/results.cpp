#include "cli/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "cli/commands.h"
#include "cli/laws.h"
#include "cli/outcome.h"
#include "report/digest.h"
#include "report/table.h"

namespace nsb::cli {
namespace {

report::DigestRun describe(const run::Summary& summary) {
    const run::RunInfo& info = summary.info;
    report::DigestRun run{info.identity, info.version, env::find(info.environment, "cpu_model")};
    run.precision = info.options.precision;
    run.rounds = info.rounds;
    run.seconds = info.seconds;
    run.seed = info.options.seed;
    for (const Row& row : summary.rows) {
        run.repeats = std::max(run.repeats, row.repeats);
        run.has_machines = run.has_machines || row.machines > 1;
    }
    run.interrupted_by = info.interrupted_by;
    for (const env::Finding& finding : info.findings) {
        if (finding.severity >= env::Severity::warning)
            run.warnings.push_back(fmt::format("{}: {}: {}", finding.id, finding.observed, finding.effect));
    }
    run.warnings.insert(run.warnings.end(), info.warnings.begin(), info.warnings.end());
    return run;
}

/// The table, in so many lines as the terminal has the rows of the digest and those that failed, unless all
/// are asked for.
std::string table_of(const Options& options, const run::Summary& summary, const Digest& digest) {
    const report::TableStyle style{terminal_width(), use_colour(), options.sort};
    std::string whole = report::table(summary.info.identity, summary.rows, style);
    const std::size_t height = terminal_height();
    const auto lines = static_cast<std::size_t>(std::ranges::count(whole, '\n'));
    if (options.all || height == 0 || lines <= height) return whole;
    std::vector<Row> shown;
    std::set<Case> others;
    for (const Row& row : summary.rows) {
        if (row.status == Status::failed || digest.has(row.measured)) {
            shown.push_back(row);
        } else {
            others.insert(row.measured);
        }
    }
    if (others.empty()) return whole;
    return fmt::format("{}and {} more cases: --all shows them\n",
                       report::table(summary.info.identity, shown, style), others.size());
}

std::string text_of(const Options& options, const run::Summary& summary, const std::string& probed,
                    const std::string& last) {
    const auto& [info, rows, bases] = summary;
    const Digest digest = digest_of(rows, bases, info.base_set);
    const report::DigestRun run = describe(summary);
    if (options.format == Format::markdown) return report::digest_markdown(run, digest);
    if (options.format == Format::json) return report::digest_json(run, digest);
    const std::string digested =
        report::digest_text(run, digest, {terminal_width(), use_colour(), !options.quiet});
    const std::string below = probed.empty() ? "" : fmt::format("\n{}", probed);
    if (options.quiet) return digested + below;
    return fmt::format("{}{}{}\n{}{}{}", table_of(options, summary, digest), run::counts_table(info.runtimes),
                       below, digested, closing_lines(info, rows), last);
}

}  // namespace

bool is_output_taken(const Options& options) {
    return options.format != Format::text || run::take_standard_output(options.files);
}

void print_results(const Options& options, const run::Summary& summary, const std::string& probed,
                   const std::string& last) {
    print_if_read(text_of(options, summary, probed, last));
    if (options.format == Format::text && !options.quiet) print_laws(summary);
}

}  // namespace nsb::cli
