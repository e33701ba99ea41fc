// The command `churn`: a load of namespaces over time.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <exception>

#include "cli/commands.h"
#include "cli/outcome.h"
#include "cli/probing.h"
#include "cli/rights.h"
#include "report/load_columns.h"
#include "run/churn_folder.h"
#include "run/interrupt.h"
#include "run/progress.h"
#include "run/sampler_pool.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::cli {
namespace {

/// What cannot be written is said before an hour is spent on measuring it.
template <typename Check>
void check_output(std::string_view option, const std::string& path, Check check) {
    try {
        check();
    } catch (const sys::SystemError& error) {
        if (is_of_a_limit(error)) throw;
        throw UsageError(fmt::format("--{}={}: cannot be written: {}", option, path, error.what()));
    }
}

std::optional<run::ChurnFolder> open_folder(const ChurnOptions& options) {
    std::optional<run::ChurnFolder> folder;
    if (options.csv && *options.csv != "-")
        check_output("csv", *options.csv, [&] { sys::check_writable(*options.csv); });
    if (options.out) check_output("out", *options.out, [&] { folder.emplace(*options.out); });
    return folder;
}

/// Whether it takes a user namespace, as the samplers of a run find out. Throws NotPermitted.
bool find_in_userns(const run::ChurnPlan& plan) {
    return run::SamplerPool(plan.cases(), std::nullopt, std::chrono::nanoseconds(0)).in_userns();
}

std::string line_of_warning(std::string_view warning) {
    return fmt::format("warning: {}\n", warning);
}

/// The machine, and what is to be known before any figure.
void introduce(const Options& options, const run::RunStart& start) {
    const auto fact = [&](std::string_view key) { return env::find(start.environment, key); };
    std::string warnings;
    for (const std::string& warning : start.warnings) warnings += line_of_warning(warning);
    if (options.quiet || options.churn.is_output_taken()) {
        if (!options.quiet) sys::try_write(STDERR_FILENO, warnings);
        return;
    }
    print_if_read(fmt::format("nsbench {} · kernel {} · {}, {} CPUs · virtualisation {}\n{}\n", start.version,
                              start.identity.kernel, fact("cpu_model"), fact("cpus"), fact("virtualisation"),
                              warnings));
}

/// What is known only once the load's processes are there.
void warn(const Options& options, run::RunStart& start, const std::string& warning) {
    start.warnings.push_back(warning);
    if (options.quiet) return;
    if (options.churn.is_output_taken()) {
        sys::try_write(STDERR_FILENO, line_of_warning(warning));
    } else {
        print_if_read(line_of_warning(warning) + '\n');
    }
}

void put_out(const Options& options, const std::optional<run::ChurnFolder>& folder,
             const run::ChurnReport& report) {
    sys::attempt_all({
        [&] {
            if (folder) folder->save(report);
        },
        [&] {
            if (!options.churn.csv) return;
            const std::string text =
                report::churn_csv(report.start.identity, to_string(report.plan), report.result.rows);
            if (*options.churn.csv == "-") return print_if_read(text);
            sys::replace_file(*options.churn.csv, text);
        },
        [&] {
            if (options.churn.csv == "-") return;
            if (options.format == Format::json) return print_if_read(churn_json(report));
            if (!options.quiet) print_if_read(churn_table(report) + "\n");
            print_if_read(churn_summary(report));
        },
    });
}

int code_of(const run::ChurnResult& result) {
    using Because = run::LoadEnd::Because;
    if (result.interrupted_by != 0) return kBySignal + result.interrupted_by;
    switch (result.end.because) {
        case Because::limit:
        case Because::unsupported:
            return kNotPermitted;
        case Because::fault:
            return kFailed;
        case Because::unfinished:
        case Because::time:
        case Because::signal:
            break;
    }
    return kMeasured;
}

}  // namespace

int run_churn(const Options& options) {
    const std::optional<run::ChurnFolder> folder =
        with_rights_over_files([&] { return open_folder(options.churn); });
    run::RunStart start = describe_start(options);
    const bool in_userns = find_in_userns(options.churn.plan);
    const run::ChurnPlan plan = in_userns ? options.churn.plan.through_userns() : options.churn.plan;
    if (in_userns)
        start.warnings.emplace_back(
            "not root: through a user namespace, so each set but none includes NEWUSER (sudo nsbench)");
    OpenedBatches batches = open_batches(options);
    start.warnings.insert(start.warnings.end(), batches.warnings.begin(), batches.warnings.end());
    if (batches.source && batches.source->view().backend != Backend::none) {
        start.warnings.push_back(
            fmt::format("--probe: all times of the load are taken while its batches are watched by {}",
                        nsb::to_string(batches.source->view().backend)));
    }
    introduce(options, start);
    run::catch_signals();
    const bool shows_progress = !options.quiet && !options.no_progress && isatty(STDERR_FILENO) == 1;
    run::ChurnResult result;
    {
        run::ProgressLine line;
        const auto save = [&](const run::ChurnResult& so_far) {
            try {
                if (folder) with_rights_over_files([&] { folder->save({start, plan, in_userns, so_far}); });
            } catch (const std::exception&) {
                // The load goes on: there may be room at its end, and if not, it is said then.
            }
        };
        result = carry_out(plan,
                           {[&](const std::string& text) {
                                if (shows_progress) line.show(text);
                            },
                            [&](const std::string& text) { warn(options, start, text); }, save},
                           batches.source.get());
    }
    with_rights_over_files([&] { put_out(options, folder, {start, plan, in_userns, result}); });
    return code_of(result);
}

}  // namespace nsb::cli
