#include "cli/commands.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "core/text.h"
#include "report/csv.h"
#include "run/interrupt.h"
#include "run/progress.h"
#include "run/runner.h"
#include "run/store.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::cli {
namespace {

std::string new_run_id() {
    return fmt::format("{:%Y%m%dT%H%M%SZ}-{:08x}", fmt::gmtime(std::time(nullptr)), std::random_device()());
}

/// Columns of the terminal that standard output is; 0 where it is none.
std::size_t terminal_width() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    const char* const columns = std::getenv("COLUMNS");
    if (columns == nullptr) return 0;
    return parse_count(columns, 20, 10000).value_or(0);
}

/// Joins items by middle dots, in lines that fit the terminal.
std::string flow(const std::vector<std::string>& items, std::size_t width) {
    std::string text;
    std::size_t column = 0;
    for (const std::string& item : items) {
        if (column != 0 && width != 0 && column + 3 + item.size() > width) {
            text += '\n';
            column = 0;
        }
        if (column != 0) text += " · ";
        column += item.size() + (column != 0 ? 3 : 0);
        text += item;
    }
    return text + '\n';
}

std::string environment_lines(const run::RunInfo& info) {
    const auto fact = [&](std::string_view key) { return env::find(info.environment, key); };
    std::string text = flow(
        {fmt::format("nsbench {}", info.version), fmt::format("kernel {}", info.identity.kernel),
         fmt::format("{}, {} CPUs", fact("cpu_model"), fact("cpus")),
         fmt::format("virtualisation {}", fact("virtualisation")),
         info.sampler_cpus.empty() ? "not pinned"
                                   : fmt::format("pinned to CPU {}", fmt::join(info.sampler_cpus, ", ")),
         fmt::format("mitigations: {}", fact("mitigations")), fmt::format("{} mounts", fact("mounts")),
         fmt::format("sampler {:.1f} MiB resident, {} mappings",
                     static_cast<double>(info.sampler_resident_bytes) / (1U << 20U), info.sampler_mappings),
         fmt::format("reading the clock takes {:.0f} {}", info.clock_read_ticks, info.identity.unit())},
        terminal_width());
    for (const env::Finding& finding : info.findings) {
        if (finding.severity < env::Severity::warning) continue;
        text += fmt::format("{}: {}: {}: {} ({})\n", env::to_string(finding.severity), finding.id,
                            finding.observed, finding.effect, finding.remedy);
    }
    for (const std::string& warning : info.warnings) text += fmt::format("warning: {}\n", warning);
    return text;
}

/// What the table leaves to be said.
std::string closing_lines(const run::RunInfo& info, const run::Runner& runner, const std::vector<Row>& rows) {
    std::string text;
    std::size_t cases = 0;
    std::size_t precise = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (i > 0 && rows[i].measured == rows[i - 1].measured) continue;
        ++cases;
        precise += rows[i].status == Status::ok ? 1U : 0U;
    }
    text += fmt::format("{} of {} cases within {:.3g}% (~: not yet) after {} rounds in {:.1f} s; seed {}\n",
                        precise, cases, 100 * info.options.precision, info.rounds, info.seconds,
                        info.options.seed);
    for (const Series& series : runner.bases()) {
        const Phase phase = series.measured.phases().front();
        const std::vector<double> counted = series.counted(phase);
        if (counted.empty()) continue;
        text += fmt::format("{}: {} takes {}\n", to_string(series.measured), nsb::info(phase).name,
                            report::format_ticks(median(counted), info.identity));
    }
    return text;
}

int exit_code(const run::RunInfo& info, const std::vector<Row>& rows) {
    if (info.interrupted_by != 0) return 128 + info.interrupted_by;
    const auto any = [&](auto predicate) { return std::any_of(rows.begin(), rows.end(), predicate); };
    if (any([](const Row& row) { return row.status == Status::failed; })) return kFailed;
    const bool nothing_to_be_had = !any([](const Row& row) {
        return row.phase != Phase::drain && (row.status != Status::skipped || row.error.empty());
    });
    return nothing_to_be_had ? kNotPermitted : kMeasured;
}

}  // namespace

void print(std::string_view text) {
    sys::write_all(STDOUT_FILENO, text, "standard output");
}

bool use_colour() {
    return isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
}

run::RunInfo describe_run(const Options& options) {
    run::RunInfo info;
    info.version = NSB_VERSION;
    info.arguments = options.arguments;
    info.options = options.run;
    info.environment = env::describe();
    info.findings = env::examine();
    info.identity = {new_run_id(), env::find(info.environment, "kernel"), options.run.clock};
    info.started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
    return info;
}

int list_cases(const Options& options) {
    const auto plan = make_plan(options.run.selection);
    if (!plan) throw UsageError(plan.error());
    std::string text;
    for (const Case& c : *plan) text += to_string(c) + '\n';
    print(text);
    return kMeasured;
}

int run_measurements(const Options& options) {
    run::RunInfo info = describe_run(options);
    std::optional<run::Store> store;
    std::vector<Series> recorded;
    std::uint32_t recorded_rounds = 0;
    if (options.resume) {
        if (options.narrowed) {
            throw UsageError(
                "--resume goes on with what the run was about; besides it only --budget, --precision and "
                "outputs are taken");
        }
        auto [reopened, record] = run::Store::reopen(*options.resume);
        if (record.info.identity.kernel != info.identity.kernel) {
            throw UsageError(fmt::format("{}: was measured on kernel {}, this is {}", *options.resume,
                                         record.info.identity.kernel, info.identity.kernel));
        }
        store.emplace(std::move(reopened));
        recorded = std::move(record.series);
        recorded_rounds = record.info.rounds;
        record.info.environment = std::move(info.environment);
        record.info.findings = std::move(info.findings);
        record.info.version = info.version;
        if (options.budget_given) record.info.options.budget = options.run.budget;
        if (options.precision_given) record.info.options.precision = options.run.precision;
        info = std::move(record.info);
    }
    const auto plan = make_plan(info.options.selection);
    if (!plan) throw UsageError(plan.error());
    for (const auto& [name, file] : {std::pair{"csv", options.csv}, std::pair{"json", options.json}}) {
        if (!file) continue;
        try {
            sys::check_writable(*file);
        } catch (const sys::SystemError& error) {
            throw UsageError(fmt::format("--{}={}: cannot be written: {}", name, *file, error.what()));
        }
    }
    if (options.out) {
        try {
            store.emplace(run::Store::create(*options.out));
        } catch (const sys::SystemError& error) {
            throw UsageError(fmt::format("--out={}: cannot be written: {}", *options.out, error.what()));
        }
    }
    if (options.probe_asked)
        info.warnings.emplace_back("--probe: this version has no probe; measured without");

    run::catch_signals();
    run::Runner runner(info, *plan);
    if (options.resume) runner.resume(recorded, recorded_rounds);

    const bool is_csv_or_json_on_stdout = options.csv == "-" || options.json == "-";
    if (!options.quiet && !is_csv_or_json_on_stdout) print(environment_lines(info) + "\n");

    run::ProgressLine line;
    const bool show_progress = !options.quiet && !options.no_progress && isatty(STDERR_FILENO) == 1;
    std::vector<const Series*> series;
    for (const Series& s : runner.series()) series.push_back(&s);
    const auto save = [&] {
        if (store) store->save(info, runner.rows(), series);
    };
    runner.measure({[&](const run::Progress& progress) {
                        if (show_progress) line.show(progress);
                    },
                    [&] {
                        try {
                            save();
                        } catch (const sys::SystemError&) {
                            // Perhaps there is room again by the end; if not, that is when it is said.
                        }
                    }});
    line.clear();

    const std::vector<Row> rows = runner.rows();
    if (!is_csv_or_json_on_stdout) {
        print(report::table(info.identity, rows, {terminal_width(), use_colour(), options.sort}));
        if (!options.quiet) print("\n" + closing_lines(info, runner, rows));
    }
    if (options.csv) sys::replace_file(*options.csv, report::results_csv(info.identity, rows));
    if (options.json) sys::replace_file(*options.json, run::benchmark_json(info, rows, series));
    save();
    return exit_code(info, rows);
}

}  // namespace nsb::cli
