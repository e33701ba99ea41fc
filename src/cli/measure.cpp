// The command `run`, in the order in which it happens: what the run is, its plan, what it is measured with,
// the rounds, the probed pass, the outputs. Where it has repeats, cli/repeats.cpp goes on from the plan.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <exception>

#include "cli/commands.h"
#include "cli/measure.h"
#include "cli/outcome.h"
#include "cli/probing.h"
#include "cli/results.h"
#include "cli/rights.h"
#include "cli/verbose.h"
#include "core/text.h"
#include "run/checkpoint.h"
#include "run/interrupt.h"
#include "run/needs.h"
#include "run/summary.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace nsb::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// Of the budget, where the probed pass has the rest.
constexpr double kShareOfRounds = 0.5;

/// Repeats are alike, and gone on with together.
void check_repeat(const Options& options, const run::RunStart& recorded) {
    if (!recorded.repeat) return;
    if (!recorded.is_of_repeats()) {
        throw UsageError(fmt::format("{}: is repeat {} of {}; --resume takes the folder of all of them",
                                     *options.resume, recorded.repeat->number, recorded.repeat->count));
    }
    if (options.budget_given || options.precision_given) {
        throw UsageError(fmt::format(
            "{}: has repeats, which are alike: go on without --budget and --precision", *options.resume));
    }
}

/// Samples of blocks of other shapes are of other figures.
void check_shapes(const std::string& folder, const run::RunInfo& recorded) {
    if (recorded.block_shapes.empty()) {
        throw UsageError(fmt::format(
            "{}: was measured by nsbench {}, which chose the length of blocks by how busy the machine was: "
            "measure it again with --out",
            folder, recorded.version));
    }
    for (const auto& [block_class, had] : recorded.block_shapes) {
        const run::BlockShape has = run::shape_of(block_class, recorded.options);
        if (had == has) continue;
        throw UsageError(fmt::format(
            "{}: was measured by nsbench {} in blocks of {}+{} samples (class {}), where this one has {}+{}: "
            "measure it again with --out",
            folder, recorded.version, had.lead_in, had.samples, run::info(block_class).name, has.lead_in,
            has.samples));
    }
}

/// Of a property of the machine: what is not known may be the same.
bool is_another(std::string_view was, std::string_view is) {
    return was != is && was != env::kUnknown && is != env::kUnknown;
}

/// With the options that may differ, and as this machine is now.
Beginning take_up(const Options& options, const run::RunStart& now) {
    const std::string& folder = *options.resume;
    if (options.narrowed) {
        throw UsageError(
            "--resume goes on with what the run was about; besides it only --budget, --precision, "
            "--disturbed "
            "and outputs are taken");
    }
    auto [store, recorded] = with_rights_over_files([&] { return run::Store::reopen(folder); });
    run::RunStart start = recorded.info;
    check_repeat(options, start);
    if (start.identity.kernel != now.identity.kernel) {
        throw UsageError(fmt::format("{}: was measured on kernel {}, this is {}", folder,
                                     start.identity.kernel, now.identity.kernel));
    }
    const std::string was = env::find(start.environment, "cpu_model");
    if (const std::string is = env::find(now.environment, "cpu_model"); is_another(was, is))
        throw UsageError(fmt::format("{}: was measured on a CPU that is {}, this is {}", folder, was, is));
    const std::vector<int> cpus = sys::allowed_cpus();
    if (start.options.cpu && std::ranges::find(cpus, *start.options.cpu) == cpus.end()) {
        throw UsageError(fmt::format("{}: was measured on CPU {}, which is not to be had now", folder,
                                     *start.options.cpu));
    }
    check_shapes(folder, recorded.info);
    start.warn(changes_of(start.environment, now.environment));
    start.environment = now.environment;
    start.findings = now.findings;
    start.version = now.version;
    if (options.budget_given) start.options.budget = options.run.budget;
    if (options.disturbed) start.options.disturbed = *options.disturbed;
    if (options.precision_given) start.options.precision = options.run.precision;
    return {std::move(start),
            std::move(store),
            {std::move(recorded.series), recorded.info, recorded.info.base_set},
            recorded.info.in_userns,
            capabilities_of(recorded.info)};
}

Beginning begin(const Options& options) {
    run::RunStart now = describe_start(options);
    return options.resume ? take_up(options, now)
                          : Beginning{std::move(now), std::nullopt, {}, std::nullopt, {}};
}

std::vector<Case> plan_of(const Options& options, const run::RunStart& start) {
    auto plan = make_plan(start.options.selection);
    if (plan) return std::move(*plan);
    throw UsageError(options.resume ? fmt::format("{}/run.json: {}", *options.resume, plan.error())
                                    : plan.error());
}

run::Store create_store(const std::string& folder, const std::optional<run::Repeat>& repeat) {
    try {
        return with_rights_over_files(
            [&] { return repeat ? run::Store::create(folder, *repeat) : run::Store::create(folder); });
    } catch (const sys::SystemError& error) {
        if (is_of_a_limit(error)) throw;
        throw UsageError(fmt::format("--out={}: cannot be written: {}", folder, error.what()));
    }
}

/// Writes what was asked for, and prints the table. What cannot be written keeps nothing else from it.
void put_out(const Options& options, run::Store* store, const run::RunInfo& info, const run::Runner& runner,
             const std::vector<Row>& rows, const std::vector<const Series*>& series) {
    sys::attempt_all({
        [&] {
            if (store != nullptr) store->save(info, rows, series);
        },
        [&] {
            run::write(options.files, {info, rows, series});
        },
        [&] {
            const std::string probed = info.probe ? probe_lines(options, info, runner.planned()) : "";
            if (is_output_taken(options) && !options.quiet) sys::try_write(STDERR_FILENO, probed);
            if (run::take_standard_output(options.files)) return;
            const run::Summary summary{info, rows, run::rows_of_bases(runner.bases(), info.row_context())};
            print_results(options, summary, probed, "");
        },
    });
}

/// Carries out the probed pass, if there is a probe, and says on a terminal how far it is.
std::optional<run::Probed> take_probed_pass(const Options& options, const run::RunOptions& run,
                                            run::Measurement& measurement, std::optional<probe::Probe>& probe,
                                            run::ProgressLine& line) {
    if (!probe || measurement.runner().totals().interrupted_by != 0) return std::nullopt;
    const bool is_shown = shows_progress(options);
    const Clock::time_point begun = Clock::now();
    return run_probed_pass(options, run, measurement, *probe, [&](double done) {
        const std::chrono::duration<double> elapsed = Clock::now() - begun;
        if (is_shown) line.show_probing(done, elapsed.count());
    });
}

int run_once(const Options& options, Beginning beginning, const std::vector<Case>& plan, OpenedProbe opened) {
    auto& [start, store, before, in_userns, capabilities] = beginning;
    run::catch_signals();
    run::Instruments instruments = run::Instruments::prepare(start.options, plan);
    check_user(options, in_userns, instruments);
    compare_capabilities(capabilities, instruments, start);
    run::Measurement measurement(start, plan, std::move(instruments), std::move(before),
                                 opened.probe ? kShareOfRounds : 1);
    const run::Runner& runner = measurement.runner();
    introduce(options, measurement.describe());

    std::vector<const Series*> series;
    for (const Series& s : runner.series()) series.push_back(&s);
    std::optional<run::Probed> probed;
    {
        run::ProgressLine line;
        Saving saving;
        if (store) {
            saving = {
                [&, &store = store] { store->save_samples(measurement.describe(), series); },
                [&, &store = store] { store->save(measurement.describe(), measurement.rows(), series); }};
        }
        take_rounds(options, measurement, line, saving);
        probed = take_probed_pass(options, start.options, measurement, opened.probe, line);
    }
    const run::RunInfo info = measurement.describe(std::move(probed));
    const std::vector<Row> rows = runner.rows(info.row_context());
    with_rights_over_files(
        [&, &store = store] { put_out(options, store ? &*store : nullptr, info, runner, rows, series); });
    return exit_code(info, rows);
}

}  // namespace

void check_user(const Options& options, std::optional<bool> in_userns, const run::Instruments& instruments) {
    if (!in_userns || *in_userns == instruments.samplers.in_userns()) return;
    throw UsageError(fmt::format(
        "{}: was measured {}{}", options.resume ? *options.resume : "the repeat before",
        *in_userns ? "through a user namespace, since unshare(CLONE_NEWUTS) was refused (EPERM), and "
                     "now it is permitted"
                   : "without a user namespace, and now unshare(CLONE_NEWUTS) is refused (EPERM)",
        options.resume ? "; go on with it as the same user" : ""));
}

std::optional<Capabilities> capabilities_of(const run::RunInfo& recorded) {
    if (recorded.sampler_capabilities) return recorded.sampler_capabilities;
    return parse_capabilities(env::find(recorded.environment, "capabilities"));
}

void compare_capabilities(std::optional<Capabilities> earlier, const run::Instruments& instruments,
                          run::RunStart& start) {
    const auto now = run::kept_by(instruments.samplers.privilege());
    if (!earlier || !now || *earlier == *now) return;
    const auto part = [](std::string_view what, Capabilities capabilities) {
        return capabilities == 0 ? "" : fmt::format(" {} {}", what, names_of(capabilities));
    };
    const std::string warning =
        fmt::format("--resume: the earlier samples were taken by a sampler with other capabilities:{}{}",
                    part("also with", *earlier & ~*now), part("without", *now & ~*earlier));
    start.warn({&warning, 1});
}

std::vector<std::string> changes_of(const std::vector<env::Fact>& earlier,
                                    const std::vector<env::Fact>& now) {
    // Of the sampler itself (compare_capabilities), and where a thread has run last.
    constexpr auto kNotCompared = std::to_array<std::string_view>({"capabilities", "rcu_worker"});
    std::vector<std::string> changes;
    for (const auto& [key, value] : earlier) {
        const bool is_compared = std::ranges::find(kNotCompared, key) == kNotCompared.end();
        if (const std::string is = env::find(now, key); is_compared && is_another(value, is)) {
            changes.push_back(fmt::format(
                "--resume: {} was {} when the earlier samples were taken, and is {} now", key, value, is));
        }
    }
    return changes;
}

void introduce(const Options& options, const run::RunInfo& info) {
    if (options.verbose) sys::try_write(STDERR_FILENO, verbose_lines(info));
    if (options.quiet) return;
    if (is_output_taken(options)) {
        sys::try_write(STDERR_FILENO, warning_lines(info));
    } else {
        print_if_read(environment_lines(info) + "\n");
    }
}

bool shows_progress(const Options& options) {
    return !options.quiet && !options.no_progress && isatty(STDERR_FILENO) == 1;
}

void take_rounds(const Options& options, run::Measurement& measurement, run::ProgressLine& line,
                 const Saving& saving, std::optional<run::RepeatPlace> repeat) {
    const bool is_shown = shows_progress(options);
    const auto checkpoint = [](const std::function<void()>& save) {
        return run::Checkpoint(save ? [save] { with_rights_over_files(save); } : std::function<void()>());
    };
    run::Checkpoint samples = checkpoint(saving.samples);
    run::Checkpoint all = checkpoint(saving.all);
    measurement.runner().measure({[&](run::Progress progress) {
                                      progress.repeat = repeat;
                                      if (is_shown) line.show(progress);
                                  },
                                  [&] {
                                      if (!all.reach()) samples.reach();
                                  }});
}

int run_measurements(const Options& options) {
    Beginning beginning = begin(options);
    const run::RunStart& start = beginning.start;
    const std::vector<Case> plan = with_rights_over_files([&] { return plan_of(options, start); });
    if (start.repeat && options.probe != "off")
        throw UsageError("--probe: is one pass, and has no repeats; measure them without it");
    const auto checked = with_rights_over_files([&] { return run::check_writable(options.files); });
    if (!checked) throw UsageError(checked.error());
    OpenedProbe opened = open_probe(options, plan);
    beginning.start.warn(opened.warnings);
    if (options.out) beginning.store.emplace(create_store(*options.out, start.repeat));
    if (start.repeat) return run_repeats(options, std::move(beginning), plan);
    return run_once(options, std::move(beginning), plan, std::move(opened));
}

}  // namespace nsb::cli
