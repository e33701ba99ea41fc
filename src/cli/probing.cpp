#include "cli/probing.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <utility>

#include "cli/outcome.h"
#include "env/batch_watch.h"
#include "probe/batch_probe.h"
#include "report/probe_text.h"
#include "run/interrupt.h"
#include "run/probed_pass.h"
#include "sys/file.h"

namespace nsb::cli {
namespace {

/// Trees of so many cases are printed; more are for the files.
constexpr std::size_t kMostTrees = 4;

probe::Choice choice_of(const std::string& text) {
    if (text == "fentry") return probe::Choice::fentry;
    if (text == "kprobe") return probe::Choice::kprobe;
    if (text == "tracepoint") return probe::Choice::tracepoint;
    return probe::Choice::automatic;
}

}  // namespace

OpenedProbe open_probe(const Options& options, const std::vector<Case>& plan) {
    if (options.probe == "off") return {};
    KindSet kinds;
    for (const Case& c : plan) kinds = kinds | c.set;
    auto probe = probe::Probe::open(choice_of(options.probe), kinds);
    if (probe) return {std::move(*probe), {}};
    if (options.probe != "auto") {
        throw run::NotPermitted(
            fmt::format("--probe={}: cannot be had here: {}", options.probe, probe.error().text()));
    }
    std::string warning =
        fmt::format("--probe: cannot be had here, measured without: {}", probe.error().text());
    // What was asked for and is not in the files is said also to who wants nothing else to be said.
    if (options.quiet) sys::try_write(STDERR_FILENO, fmt::format("nsbench: {}\n", warning));
    return {std::nullopt, {std::move(warning)}};
}

namespace {

/// Stands for batches that cannot be seen.
class NoBatches final : public BatchSource {
  public:
    explicit NoBatches(std::string reason) : view_{Backend::none, std::move(reason), ""} {}
    std::vector<Batch> take() override { return {}; }
    [[nodiscard]] std::optional<std::uint64_t> lost() const override { return std::nullopt; }
    [[nodiscard]] const BatchView& view() const override { return view_; }

  private:
    BatchView view_;
};

}  // namespace

OpenedBatches open_batches(const Options& options) {
    if (options.probe == "off") return {};
    const probe::Choice choice = choice_of(options.probe);
    std::string why;
    if (choice != probe::Choice::tracepoint) {
        auto probed = probe::open_batches(choice);
        if (probed) return {std::move(*probed), {}};
        why = probed.error().text();
    }
    if (choice == probe::Choice::automatic || choice == probe::Choice::tracepoint) {
        auto watched = env::watch_batches(why);
        if (watched) return {std::move(*watched), {}};
        why += fmt::format("{}tracepoints: {}", why.empty() ? "" : "; ", watched.error().text());
    }
    if (choice != probe::Choice::automatic)
        throw run::NotPermitted(fmt::format("--probe={}: cannot be had here: {}", options.probe, why));
    std::string warning = fmt::format("--probe: cannot be had here, measured without: {}", why);
    if (options.quiet) sys::try_write(STDERR_FILENO, fmt::format("nsbench: {}\n", warning));
    return {std::make_unique<NoBatches>(std::move(why)), {std::move(warning)}};
}

run::Probed run_probed_pass(const Options& options, const run::RunOptions& run, run::Measurement& measurement,
                            probe::Probe& probe, const std::function<void(double done)>& observer) {
    std::vector<Case> cases;
    for (const Series& series : measurement.runner().series()) cases.push_back(series.measured);
    run::TeardownAccess teardown =
        run::access_teardown({cases, cases.size(), {}, measurement.base_set()}, std::nullopt);
    run::ProbedPass pass(measurement.samplers(), run, probe, cases, measurement.base_set(),
                         run::find(options.files, run::OfProbe::stacks) != nullptr,
                         run::Draining(std::move(teardown.watch)));
    std::optional<std::chrono::nanoseconds> budget;
    if (run.budget) budget = *run.budget / 2;
    run::Probed probed{pass.run(budget, observer), run::interrupted_by()};
    probed.report.choice = options.probe;
    return probed;
}

std::string probe_lines(const Options& options, const run::RunInfo& info, std::span<const Series> planned) {
    if (!info.probe) return "";
    // The plan's come first, bases that only serve deltas behind them.
    const std::span<const ProbedCase> all = info.probe->cases;
    const auto cases = all.first(std::min(planned.size(), all.size()));
    const auto is_probed = [](const ProbedCase& one) { return one.error.empty(); };
    const auto probed = std::ranges::count_if(cases, is_probed);
    std::string text;
    if (std::cmp_less_equal(probed, kMostTrees)) {
        for (const ProbedCase& one : cases) {
            if (is_probed(one)) text += report::probe_tree(info.identity, one, terminal_width()) + "\n";
        }
    } else {
        text += fmt::format("probe: {} cases; trees are printed for up to {} (narrow with --filter){}\n",
                            probed, kMostTrees,
                            options.out || options.resume ? ", all are in probe.csv and memory.csv"
                                                          : "; --out=DIR writes all");
    }
    return text + report::unprobed_lines(cases) + report::probe_summary(info.identity, *info.probe);
}

}  // namespace nsb::cli
