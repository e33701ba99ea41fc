// The command `run`: plan, environment, rounds, outputs.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <exception>

#include "cli/commands.h"
#include "cli/outcome.h"
#include "cli/probing.h"
#include "core/text.h"
#include "report/csv.h"
#include "report/probe_text.h"
#include "run/interrupt.h"
#include "run/progress.h"
#include "run/runner.h"
#include "run/store.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace nsb::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// A recorded run taken up again: its folder, and what is known of it with the options that may differ.
struct Resumed {
    run::Store store;
    run::Store::Recorded recorded;
};

Resumed take_up(const Options& options, const run::RunInfo& now) {
    const std::string& folder = *options.resume;
    if (options.narrowed) {
        throw UsageError(
            "--resume goes on with what the run was about; besides it only --budget, --precision and outputs "
            "are "
            "taken");
    }
    auto [store, recorded] = run::Store::reopen(folder);
    run::RunInfo& info = recorded.info;
    if (info.identity.kernel != now.identity.kernel) {
        throw UsageError(fmt::format("{}: was measured on kernel {}, this is {}", folder,
                                     info.identity.kernel, now.identity.kernel));
    }
    const std::vector<int> cpus = sys::allowed_cpus();
    if (info.options.cpu && std::ranges::find(cpus, *info.options.cpu) == cpus.end()) {
        throw UsageError(
            fmt::format("{}: was measured on CPU {}, which is not to be had now", folder, *info.options.cpu));
    }
    info.warnings = now.warnings;
    info.environment = now.environment;
    info.findings = now.findings;
    info.version = now.version;
    if (options.budget_given) info.options.budget = options.run.budget;
    if (options.precision_given) info.options.precision = options.run.precision;
    return {std::move(store), std::move(recorded)};
}

/// What cannot be written is said before an hour is spent on measuring it.
void check_outputs(const Options& options) {
    for (const auto& [name, file] : {std::pair{"csv", options.csv}, std::pair{"json", options.json},
                                     std::pair{"folded", options.folded}}) {
        if (!file) continue;
        try {
            sys::check_writable(*file);
        } catch (const sys::SystemError& error) {
            if (is_of_a_limit(error)) throw;
            throw UsageError(fmt::format("--{}={}: cannot be written: {}", name, *file, error.what()));
        }
    }
}

run::Store create_store(const std::string& folder) {
    try {
        return run::Store::create(folder);
    } catch (const sys::SystemError& error) {
        if (is_of_a_limit(error)) throw;
        throw UsageError(fmt::format("--out={}: cannot be written: {}", folder, error.what()));
    }
}

/// Saves a run's folder after its rounds, but not when rounds are so short that it would take a fifth of the
/// time.
class Checkpoint {
  public:
    explicit Checkpoint(std::function<void()> save) : save_(std::move(save)) {}
    void operator()() {
        const Clock::time_point begin = Clock::now();
        if (begin - saved_ < 4 * took_) return;
        try {
            save_();
        } catch (const std::exception&) {
            // Whatever it is, the run goes on. Perhaps there is room again by the end; if not, that is when
            // it is said.
        }
        saved_ = Clock::now();
        took_ = saved_ - begin;
    }

  private:
    std::function<void()> save_;
    Clock::time_point saved_{};
    Clock::duration took_{};
};

/// Prints the table, unless the terminal is gone: its end is what ended the run then, and no failure of it.
void print_if_read(std::string_view text) {
    try {
        print(text);
    } catch (const sys::SystemError& error) {
        if (run::interrupted_by() != SIGHUP || !is_unread(error)) throw;
    }
}

}  // namespace

int run_measurements(const Options& options) {
    run::RunInfo info = describe_run(options);
    std::optional<run::Store> store;
    run::Store::Recorded recorded;
    if (options.resume) {
        Resumed resumed = take_up(options, info);
        store.emplace(std::move(resumed.store));
        recorded = std::move(resumed.recorded);
        info = recorded.info;
    }
    const auto plan = make_plan(info.options.selection);
    if (!plan) {
        throw UsageError(options.resume ? fmt::format("{}/run.json: {}", *options.resume, plan.error())
                                        : plan.error());
    }
    check_outputs(options);
    std::optional<probe::Probe> probe = open_probe(options, *plan, info);
    if (options.out) store.emplace(create_store(*options.out));

    run::catch_signals();
    run::Runner runner(info, *plan);
    if (probe) runner.spend(0.5);
    if (options.resume) {
        if (info.in_userns != recorded.info.in_userns) {
            throw UsageError(
                fmt::format("{}: was measured {} a user namespace; go on with it as the same user",
                            *options.resume, recorded.info.in_userns ? "through" : "without"));
        }
        runner.resume(recorded.series, recorded.info.rounds);
    }

    const bool is_stdout_taken = options.csv == "-" || options.json == "-" || options.folded == "-";
    if (!options.quiet && !is_stdout_taken) print_if_read(environment_lines(info) + "\n");
    if (!options.quiet && is_stdout_taken) sys::try_write(STDERR_FILENO, warning_lines(info));

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
                    Checkpoint(save)});
    if (probe && info.interrupted_by == 0) {
        const Clock::time_point begun = Clock::now();
        run_probed_pass(options, info, runner, *probe, [&](double done) {
            const std::chrono::duration<double> elapsed = Clock::now() - begun;
            if (show_progress) line.show_probing(done, elapsed.count());
        });
        info.interrupted_by = run::interrupted_by();
    }
    line.clear();

    const std::vector<Row> rows = runner.rows();
    sys::attempt_all({
        save,
        [&] {
            if (options.csv) sys::replace_file(*options.csv, report::results_csv(info.identity, rows));
        },
        [&] {
            if (options.json) sys::replace_file(*options.json, run::benchmark_json(info, rows, series));
        },
        [&] {
            if (options.folded && info.probe)
                sys::replace_file(*options.folded, report::folded_stacks(*info.probe));
        },
        [&] {
            if (is_stdout_taken) {
                if (info.probe && !options.quiet)
                    sys::try_write(STDERR_FILENO, probe_lines(options, info, runner));
                return;
            }
            std::string text =
                report::table(info.identity, rows, {terminal_width(), use_colour(), options.sort});
            text += run::counts_table(info.runtimes);
            if (info.probe) text += fmt::format("\n{}", probe_lines(options, info, runner));
            if (!options.quiet) text += fmt::format("\n{}", closing_lines(info, rows, runner.bases()));
            print_if_read(text);
        },
    });
    return exit_code(info, rows);
}

}  // namespace nsb::cli
