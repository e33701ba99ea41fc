// The command `run` with --repeat: the whole plan several times, each time in samplers of its own, and their
// figures together. Those that are complete count; one that was stopped is kept in its folder, and gone on
// with by --resume.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <thread>

#include "cli/commands.h"
#include "cli/measure.h"
#include "cli/outcome.h"
#include "cli/results.h"
#include "cli/rights.h"
#include "run/interrupt.h"
#include "run/repeats.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/process.h"

namespace nsb::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// How soon a signal is noticed between two repeats.
constexpr auto kWatchful = std::chrono::milliseconds(50);

/// This process keeps off its first sampler's CPU. The next repeat's is to be had on it again.
class OwnCpus {
  public:
    OwnCpus() : cpus_(sys::allowed_cpus()) {}
    OwnCpus(const OwnCpus&) = delete;
    OwnCpus(OwnCpus&&) = delete;
    OwnCpus& operator=(const OwnCpus&) = delete;
    OwnCpus& operator=(OwnCpus&&) = delete;
    ~OwnCpus() { (void)sys::restrict_to(0, cpus_); }

  private:
    std::vector<int> cpus_;
};

class Repeating {
  public:
    Repeating(const Options& options, Beginning whole, const std::vector<Case>& plan)
        : options_(options), whole_(std::move(whole)), plan_(plan) {}

    /// Reads what there is already, all of it before anything is measured or written. Throws StoreError.
    void read();
    /// Measures those that are not complete yet. Returns at a signal, too.
    void take_all();
    [[nodiscard]] bool has_figures() const { return counting().size() > 0; }
    [[nodiscard]] bool has_measured() const { return last_ != 0; }
    [[nodiscard]] run::Summary sum_up() const;
    /// Writes what was asked for, and prints the table.
    void put_out(const run::Summary& summary) const;

  private:
    [[nodiscard]] std::uint32_t count() const { return whole_.start.repeat->count; }
    [[nodiscard]] run::RepeatPlace place(std::uint32_t number) const {
        return {number, count(), std::chrono::duration<double>(whole_.start.repeat->apart).count()};
    }
    [[nodiscard]] std::string folder_of(std::uint32_t number) const {
        return fmt::format("{}/{}", options_.out ? *options_.out : *options_.resume,
                           run::name_of_repeat(number));
    }
    /// Those that are complete; where none is, the one that was begun, as far as it came.
    [[nodiscard]] const run::Repeats& counting() const { return complete_.size() > 0 ? complete_ : begun_; }
    [[nodiscard]] std::optional<Beginning> read(std::uint32_t number);
    void wait_before(std::uint32_t number, run::ProgressLine& line) const;
    void measure(std::uint32_t number, Beginning own, run::ProgressLine& line);
    void save_whole(const run::Summary& summary) const;
    [[nodiscard]] std::string lines_of_stop() const;

    const Options& options_;
    Beginning whole_;
    const std::vector<Case>& plan_;
    std::vector<std::optional<Beginning>> begins_;  // of each; none where it is complete
    run::Repeats complete_, begun_;
    std::uint32_t last_ = 0;  // that was measured here and now; 0: none yet
};

void Repeating::read() {
    for (std::uint32_t number = 1; number <= count(); ++number) begins_.push_back(read(number));
}

void Repeating::take_all() {
    run::ProgressLine line;
    for (std::uint32_t number = 1; number <= count() && run::interrupted_by() == 0; ++number) {
        std::optional<Beginning> own = std::move(begins_[number - 1]);
        if (!own) continue;
        if (last_ != 0) wait_before(number, line);
        if (run::interrupted_by() != 0) return;
        const run::RunStart now = last_ == 0 ? whole_.start : describe_start(options_);
        run::RunStart begun = std::move(own->start);
        own->start = run::start_of_repeat(whole_.start, now, number);
        own->start.warnings = std::move(begun.warnings);
        if (!begun.started.empty()) own->start.started = std::move(begun.started);
        if (whole_.store && !own->store) {
            own->store.emplace(with_rights_over_files([&] { return whole_.store->create_repeat(number); }));
        }
        measure(number, std::move(*own), line);
    }
}

/// As its folder has it, with the time at which it was started; nothing to be measured where it is complete.
std::optional<Beginning> Repeating::read(std::uint32_t number) {
    Beginning own{{}, std::nullopt, {{}, {}, whole_.before.base_set}, {}, {}};
    if (!whole_.store) return own;
    auto taken = whole_.store->reopen_repeat(whole_.start, number);
    if (!taken) return own;
    auto& [store, recorded] = *taken;
    if (whole_.in_userns.value_or(recorded.info.in_userns) != recorded.info.in_userns) {
        throw run::StoreError(fmt::format("{}: was measured {} a user namespace, unlike the others",
                                          folder_of(number),
                                          recorded.info.in_userns ? "through" : "without"));
    }
    if (recorded.info.repeat->complete) {
        recorded.info.options.disturbed = whole_.start.options.disturbed;
        complete_.add(run::sum_up(std::move(recorded), folder_of(number)));
        return std::nullopt;
    }
    own.start.started = recorded.info.started;
    own.start.warnings = recorded.info.warnings;
    own.start.warn(changes_of(recorded.info.environment, whole_.start.environment));
    own.capabilities = capabilities_of(recorded.info);
    own.before = {std::move(recorded.series), recorded.info, recorded.info.base_set};
    own.store.emplace(std::move(store));
    return own;
}

void Repeating::wait_before(std::uint32_t number, run::ProgressLine& line) const {
    const bool is_shown = shows_progress(options_);
    const Clock::time_point end = Clock::now() + whole_.start.repeat->apart;
    while (run::interrupted_by() == 0 && Clock::now() < end) {
        const Clock::duration left = end - Clock::now();
        if (is_shown) line.show_pause(place(number), std::chrono::duration<double>(left).count());
        std::this_thread::sleep_for(std::min<Clock::duration>(left, kWatchful));
    }
}

void Repeating::measure(std::uint32_t number, Beginning own, run::ProgressLine& line) {
    const OwnCpus cpus;
    run::Instruments instruments = run::Instruments::prepare(own.start.options, plan_);
    check_user(options_, whole_.in_userns, instruments);
    whole_.in_userns = instruments.samplers.in_userns();
    compare_capabilities(own.capabilities, instruments, own.start);
    const double share = run::share_left(own.start.options, own.before.totals.seconds);
    run::Measurement measurement(own.start, plan_, std::move(instruments), std::move(own.before), share);
    if (last_ == 0) introduce(options_, measurement.describe());

    const run::Runner& runner = measurement.runner();
    std::vector<const Series*> series;
    for (const Series& s : runner.series()) series.push_back(&s);
    const auto summary = [&](bool is_complete) {
        run::RunInfo info = measurement.describe();
        info.repeat->complete = is_complete;
        const RowContext context = info.row_context();
        return run::Summary{std::move(info), runner.rows(context),
                            run::rows_of_bases(runner.bases(), context)};
    };
    const auto save = [&] {
        const run::Summary now = summary(false);
        if (complete_.size() == 0) {  // else the folder of all has a run.json, and rows
            run::Repeats first;
            first.add(now);
            save_whole(run::sum_up(whole_.start, first));
        }
        own.store->save(now.info, now.rows, series);
    };
    Saving saving;
    if (own.store) saving = {[&] { own.store->save_samples(measurement.describe(), series); }, save};
    take_rounds(options_, measurement, line, saving, place(number));

    last_ = number;
    const bool is_complete = runner.totals().interrupted_by == 0;
    const run::Summary done = summary(is_complete);
    (is_complete ? complete_ : begun_).add(done);
    if (!own.store) return;
    with_rights_over_files([&] {
        own.store->save(done.info, done.rows, series);
        save_whole(sum_up());
    });
}

run::Summary Repeating::sum_up() const {
    run::Summary summary = run::sum_up(whole_.start, counting());
    summary.info.interrupted_by = summary.info.repeat->complete ? 0 : run::interrupted_by();
    return summary;
}

void Repeating::save_whole(const run::Summary& summary) const {
    if (whole_.store) whole_.store->save({summary.info, summary.rows, {}, counting().rows});
}

/// Which repeats the table is not of, and why.
std::string Repeating::lines_of_stop() const {
    if (complete_.size() == count()) return "";
    std::string text =
        complete_.size() == 0
            ? fmt::format("stopped in repeat 1 of {}, which the table is of as far as it came", count())
            : fmt::format("stopped with {} of {} repeats complete, which the table is of", complete_.size(),
                          count());
    if (whole_.store)
        text += fmt::format("; --resume={} goes on", options_.out ? *options_.out : *options_.resume);
    return text + '\n';
}

void Repeating::put_out(const run::Summary& summary) const {
    const run::RunInfo& info = summary.info;
    const std::vector<Row>& rows = summary.rows;
    sys::attempt_all({
        [&] {
            // What is only read again has no environment of its own.
            if (last_ != 0) {
                save_whole(summary);
            } else if (whole_.store) {
                whole_.store->save_rows(info, rows);
            }
        },
        [&] {
            run::write(options_.files, {info, rows, {}, counting().rows});
        },
        [&] {
            if (is_output_taken(options_) && !options_.quiet) sys::try_write(STDERR_FILENO, lines_of_stop());
            if (run::take_standard_output(options_.files)) return;
            print_results(options_, summary, "", lines_of_stop());
        },
    });
}

}  // namespace

int run_repeats(const Options& options, Beginning whole, const std::vector<Case>& plan) {
    run::catch_signals();
    Repeating repeating(options, std::move(whole), plan);
    with_rights_over_files([&] { repeating.read(); });
    std::exception_ptr failure;
    try {
        repeating.take_all();
    } catch (const std::exception&) {
        failure = std::current_exception();
    }
    if (failure && !repeating.has_measured()) std::rethrow_exception(failure);
    if (!repeating.has_figures()) return kBySignal + run::interrupted_by();
    // What the others have come to is kept.
    const run::Summary summary = repeating.sum_up();
    sys::attempt_all({[&] {
                          if (failure) std::rethrow_exception(failure);
                      },
                      [&] { with_rights_over_files([&] { repeating.put_out(summary); }); }});
    return exit_code(summary.info, summary.rows);
}

}  // namespace nsb::cli
