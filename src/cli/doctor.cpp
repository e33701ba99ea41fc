#include <fmt/format.h>

#include <cmath>

#include "cli/commands.h"
#include "cli/outcome.h"
#include "report/format.h"
#include "run/interrupt.h"
#include "run/measurement.h"

namespace nsb::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kNoiseBudget = 5s;

std::string finding_line(const env::Finding& finding, bool colour) {
    const char* const paint = !colour                                      ? ""
                              : finding.severity >= env::Severity::warning ? "\033[33m"
                              : finding.severity == env::Severity::note    ? "\033[36m"
                                                                           : "\033[32m";
    std::string text = fmt::format("{}{:<8}{}{:<18} {}", paint, env::to_string(finding.severity),
                                   colour ? "\033[0m" : "", finding.id, finding.observed);
    if (!finding.effect.empty()) text += fmt::format(": {}", finding.effect);
    if (!finding.remedy.empty()) text += fmt::format(" → {}", finding.remedy);
    return text + '\n';
}

/// Five seconds of the cheapest case: how far its rounds lie apart, and what more time would make of that.
struct Noise {
    run::RunInfo info;
    Row row;
};

Noise measure_noise(run::RunStart start) {
    start.options.budget = kNoiseBudget;
    start.options.precision = 1e-6;  // out of reach, so that the whole time is used
    const std::vector<Case> none{Case::of(Operation::clone, {})};
    run::Instruments instruments = run::Instruments::prepare(start.options, none);
    run::Measurement measurement(std::move(start), none, std::move(instruments));
    measurement.runner().measure({});
    return {measurement.describe(), measurement.rows().front()};
}

bool is_known(const Noise& noise) {
    return noise.row.figures && noise.row.figures->precision;
}

int code_of(const Noise& noise) {
    const int code = exit_code(noise.info, {noise.row});
    return code == kMeasured && !is_known(noise) ? kFailed : code;
}

std::string noise_lines(const Noise& noise) {
    const auto& [info, row] = noise;
    if (!is_known(noise)) {
        return fmt::format("{}: not measured: {}\n", to_string(row.measured), row.reason);
    }
    const Figures& f = *row.figures;
    std::string text =
        fmt::format("\n{} in {} s: {} samples in {} rounds, median {}, 95% within ±{:.2f}%, p99 {}, max {}\n",
                    to_string(row.measured), kNoiseBudget / 1s, f.samples, info.rounds,
                    report::format_ticks(f.median, info.identity), 100 * *f.precision,
                    report::format_ticks(f.p99, info.identity), report::format_ticks(f.max, info.identity));
    text += fmt::format(
        "what a budget would buy here for one such case, if rounds stay as independent as these:\n");
    for (const auto& [name, budget] :
         {std::pair{"10 s", 10.0}, std::pair{"60 s", 60.0}, std::pair{"10 min", 600.0}}) {
        // An interval of a median narrows with the root of the time that is spent on it.
        const double bought =
            *f.precision * std::sqrt(std::chrono::duration<double>(kNoiseBudget).count() / budget);
        text += fmt::format("{:>8}: ±{:.2f}%\n", name, 100 * bought);
    }
    return text;
}

}  // namespace

int run_doctor(const Options& options) {
    run::RunStart start = describe_start(options);
    bool has_problem = false;
    std::string text;
    for (const env::Finding& finding : start.findings) {
        text += finding_line(finding, use_colour());
        has_problem = has_problem || finding.severity == env::Severity::problem;
    }
    run::catch_signals();
    print_if_read(text);
    const Noise noise = measure_noise(std::move(start));
    print_if_read(noise_lines(noise));
    const int code = code_of(noise);
    return code == kMeasured && has_problem ? kFailed : code;
}

}  // namespace nsb::cli
