#include "report/columns.h"

#include <fmt/format.h>

#include <cmath>

#include "core/repeats.h"

namespace nsb::report {
namespace {

constexpr auto number = format_number;

/// Of microseconds, to each of them.
std::string format_seconds(std::int64_t microseconds) {
    return fmt::format("{}.{:06}", microseconds / 1'000'000, microseconds % 1'000'000);
}

std::string parameter(const Case& c, Parameter parameter) {
    return c.has(parameter) ? format_value(parameter, c.value(parameter)) : "";
}

template <typename Get>
std::string from_figures(const ResultRecord& r, Get get) {
    return r.row.figures ? get(*r.row.figures) : "";
}

template <typename Get>
std::string from_delta(const ResultRecord& r, Get get) {
    return r.row.delta ? get(*r.row.delta) : "";
}

using R = ResultRecord;
using S = SampleRecord;

template <typename Get>
std::string from_position(const ResultRecord& r, Get get) {
    return r.row.machines > 0 && r.row.position ? get(*r.row.position) : "";
}

#define FIGURE(member) \
    [](const R& r) { return from_figures(r, [](const Figures& f) { return number(f.member); }); }

constexpr auto kResultColumns = std::to_array<Column<R>>({
    {"run_id", "", "the run: UTC time of its start and a random suffix", [](const R& r) { return r.run.run_id; }},
    {"kernel", "", "release of the running kernel, as uname -r says", [](const R& r) { return r.run.kernel; }},
    {"clock", "", "wall (ns), or instructions executed by a lab guest; the two are never compared",
     [](const R& r) { return std::string(info(r.run.clock).name); }},
    {"case", "", "the case's id: the join key between runs, machines and kernels",
     [](const R& r) { return to_string(r.row.measured); }},
    {"operation", "", "the id's first part",
     [](const R& r) { return std::string(info(r.row.measured.operation).name); }},
    {"namespaces", "", "the id's second part: the kinds, by their flags",
     [](const R& r) { return to_string(r.row.measured.set); }},
    {"syscall", "", "the system call that is timed; a set with NEWTIME is cloned by clone3",
     [](const R& r) { return std::string(r.row.measured.syscall()); }},
    {"stack_bytes", "bytes", "the child's stack",
     [](const R& r) {
         const Case& c = r.row.measured;
         return c.has(Parameter::stack) ? std::to_string(c.value(Parameter::stack)) : "";
     }},
    {"spawn", "", "fork: memory copied; vm: CLONE_VM|CLONE_VFORK",
     [](const R& r) { return parameter(r.row.measured, Parameter::spawn); }},
    {"parallel", "samplers", "samplers that did the same at the same time",
     [](const R& r) { return parameter(r.row.measured, Parameter::parallel); }},
    {"phase", "", "the part of the sample that the row's times are of",
     [](const R& r) { return std::string(info(r.row.phase).name); }},
    {"unit", "", "unit of all times of the row", [](const R& r) { return std::string(r.run.unit()); }},
    {"samples", "samples", "counted samples; failed calls and warm-ups are not among them",
     [](const R& r) { return from_figures(r, [](const Figures& f) { return std::to_string(f.samples); }); }},
    {"median", kTicks, "median of the samples", FIGURE(median)},
    {"ci_low", kTicks, "95% interval of the median, as far as rounds scatter and follow each other",
     [](const R& r) { return from_figures(r, [](const Figures& f) { return f.ci ? number(f.ci->low) : ""; }); }},
    {"ci_high", kTicks, "its upper end",
     [](const R& r) { return from_figures(r, [](const Figures& f) { return f.ci ? number(f.ci->high) : ""; }); }},
    {"precision", "fraction", "half the interval's width over the median",
     [](const R& r) {
         return from_figures(r, [](const Figures& f) { return f.precision ? fmt::format("{:.5f}", *f.precision) : ""; });
     }},
    {"min", kTicks, "smallest sample", FIGURE(min)},
    {"mean", kTicks, "mean of the samples", FIGURE(mean)},
    {"stddev", kTicks, "standard deviation of the samples", FIGURE(stddev)},
    {"p90", kTicks, "90th percentile", FIGURE(p90)},
    {"p99", kTicks, "99th percentile", FIGURE(p99)},
    {"max", kTicks, "largest sample", FIGURE(max)},
    {"outliers_mild", "samples", "samples beyond 1.5 interquartile ranges from the quartiles; kept",
     [](const R& r) { return from_figures(r, [](const Figures& f) { return std::to_string(f.outliers_mild); }); }},
    {"outliers_severe", "samples", "samples beyond 3 interquartile ranges; kept",
     [](const R& r) { return from_figures(r, [](const Figures& f) { return std::to_string(f.outliers_severe); }); }},
    {"delta", kTicks, "what the set adds to none of the same operation and parameters (measured through a user namespace, to "
     "NEWUSER), paired by round; for a runtime, what it adds to the container operation of the same set",
     [](const R& r) { return from_delta(r, [](const Delta& d) { return number(d.value); }); }},
    {"delta_low", kTicks, "95% interval of delta",
     [](const R& r) { return from_delta(r, [](const Delta& d) { return d.ci ? number(d.ci->low) : ""; }); }},
    {"delta_high", kTicks, "its upper end",
     [](const R& r) { return from_delta(r, [](const Delta& d) { return d.ci ? number(d.ci->high) : ""; }); }},
    {"status", "", "ok; imprecise: --precision not reached; skipped: not to be had here; failed: a call failed",
     [](const R& r) { return std::string(to_string(r.row.status)); }},
    {"errno", "", "name of the errno of a skipped or failed row", [](const R& r) { return r.row.error; }},
    {"reason", "", "why the status is not ok", [](const R& r) { return r.row.reason; }},
    {"state", "", "the name of the state that the kernel was in when the case began: --state",
     [](const R& r) { return r.run.state; }},
    {"resolution", kTicks, "how far meaningless variations of the machine move the median: the largest distance of one "
     "machine's from it; empty for one machine",
     [](const R& r) { return r.row.resolution ? number(*r.row.resolution) : ""; }},
    {"delta_resolution", kTicks, "the same of delta",
     [](const R& r) { return from_delta(r, [](const Delta& d) { return d.resolution ? number(*d.resolution) : ""; }); }},
    {"machines", "machines", "saved machines of the lab that it was measured on; the median is that of their medians",
     [](const R& r) { return r.row.machines == 0 ? "" : std::to_string(r.row.machines); }},
    {"position", "fraction", "of the variance of a machine's samples: explained by whether a sample is among the first fifth, "
     "the middle or the last fifth, beyond what chance does; like the next three, of saved machines alone",
     [](const R& r) { return from_position(r, [](const Position& p) { return fmt::format("{:.3f}", p.explained); }); }},
    {"first", kTicks, "median of the first fifth of a machine's samples",
     [](const R& r) { return from_position(r, [](const Position& p) { return number(p.first); }); }},
    {"steady", kTicks, "median of those between",
     [](const R& r) { return from_position(r, [](const Position& p) { return number(p.steady); }); }},
    {"last", kTicks, "median of the last fifth",
     [](const R& r) { return from_position(r, [](const Position& p) { return number(p.last); }); }},
    {"repeats", "repeats", "of the plan, by --repeat: median, delta and percentiles are the medians of theirs, and the intervals "
     "of median and delta are Student's, of how theirs scatter; empty without --repeat",
     [](const R& r) { return r.row.repeats == 0 ? "" : std::to_string(r.row.repeats); }},
    {"scatter", "", "which scatter rules the repeats' medians: between, what repeats do not have in common; or within, what the "
     "rounds of each explain; empty for one repeat, or where the rounds were too few to tell",
     [](const R& r) { return r.row.scatter ? std::string(to_string(ruling(*r.row.scatter))) : ""; }},
    {"base", "", "the id of the case that delta is taken against; empty without a delta",
     [](const R& r) { return from_delta(r, [](const Delta& d) { return to_string(d.base); }); }},
});

#undef FIGURE

/// A phase's time; empty where the sample failed, and of a case that does not have the phase.
template <Phase phase>
std::string sample_time(const S& r) {
    if (r.stretch == nullptr) return "";
    const double time = r.series.samples.time(*r.stretch, phase, r.index);
    return phase == Phase::drain && time == 0 ? "" : number(time);
}

template <Phase phase>
constexpr Column<S> phase_column() {
    return {info(phase).name, kTicks, info(phase).meaning, sample_time<phase>,
            [](const Case& c) { return !c.takes_time_of(phase); }};
}

template <std::uint32_t Stretch::*member>
std::string of_stretch(const S& r) {
    return r.stretch != nullptr ? std::to_string(r.stretch->*member) : "";
}

constexpr bool always(const Case& /*c*/) {
    return true;
}

constexpr auto kSampleColumns = std::to_array<Column<S>>({
    {"run_id", "", "as in results.csv", [](const S& r) { return r.run.run_id; }, always},
    {"kernel", "", "as in results.csv", [](const S& r) { return r.run.kernel; }, always},
    {"clock", "", "as in results.csv", [](const S& r) { return std::string(info(r.run.clock).name); },
     always},
    {"case", "", "the case's id; also those of the none cases that deltas are taken against",
     [](const S& r) { return to_string(r.series.measured); }, always},
    {"round", "number", "the round; 0 is the warm-up", of_stretch<&Stretch::round>},
    {"block", "number", "the block's number in the run, in the order in which blocks were measured",
     of_stretch<&Stretch::block>},
    {"sample", "number",
     "number within the case, and within the lab's machine, in the order in which they were taken",
     [](const S& r) { return std::to_string(r.number); }},
    {"counted", "0 or 1", "1; or 0 for a warm-up: the first round, and the first samples of each block",
     [](const S& r) {
         return std::string(r.stretch != nullptr && r.index >= r.stretch->counted ? "1" : "0");
     }},
#define NSB_PHASE(identifier, ...) phase_column<Phase::identifier>(),
#include "core/phases.def"
#undef NSB_PHASE
    {"errno", "", "name of the errno that ended the case; then there are no times",
     [](const S& r) { return r.stretch == nullptr ? errno_name(r.series.failure->error) : ""; }},
    {"call", "", "the call that failed",
     [](const S& r) {
         return r.stretch == nullptr ? std::string(protocol::name(r.series.failure->call)) : "";
     }},
    {"machine", "number", "the lab's saved machine that it was taken on; 0 elsewhere",
     of_stretch<&Stretch::machine>},
    {"sampler", "number", "which of the samplers that carried out the block at the same time; the first is 0",
     of_stretch<&Stretch::sampler>},
    {"ended", kTicks,
     "from the beginning of the block, the same moment for all of its samplers, until this one was done with "
     "the "
     "sample: the time since the one before has in it what was prepared, which is in no phase",
     [](const S& r) {
         const double ended = r.stretch != nullptr ? r.series.samples.ended(r.index) : 0;
         return ended > 0 ? number(ended) : "";
     }},
});

using M = RoundRecord;

template <std::optional<std::int64_t> RoundMarks::*member>
std::string seconds_of(const M& r) {
    const auto value = r.marks.*member;
    return value ? format_seconds(*value) : "";
}

template <std::optional<std::int64_t> RoundMarks::*member>
std::string count_of(const M& r) {
    const auto value = r.marks.*member;
    return value ? std::to_string(*value) : "";
}

constexpr auto kRoundColumns = std::to_array<Column<M>>({
    {"run_id", "", "as in results.csv", [](const M& r) { return r.run.run_id; }},
    {"kernel", "", "as in results.csv", [](const M& r) { return r.run.kernel; }},
    {"round", "number", "the round, as in samples.csv",
     [](const M& r) { return std::to_string(r.marks.round); }},
    {"begin", "s", "when it began, since 1970, UTC",
     [](const M& r) { return format_seconds(r.marks.begin); }},
    {"seconds", "s",
     "that it took, with the waits for teardown; of what follows, a field is empty where the kernel does "
     "not say it, and run.json why; with samplers on several CPUs it is that of the CPU with most of it",
     [](const M& r) { return format_seconds(r.marks.duration); }},
    {"steal", "s", "that the hypervisor took of the measuring CPU", seconds_of<&RoundMarks::steal>},
    {"others", "s", "that tasks ran on it which are neither nsbench's nor threads of the kernel",
     seconds_of<&RoundMarks::others>},
    {"kernel_threads", "s", "that threads of the kernel ran on it: mostly what samples left to them",
     seconds_of<&RoundMarks::kernel_threads>},
    {"waited", "s", "that the sampler was ready to run, and another task ran",
     seconds_of<&RoundMarks::waited>},
    {"switches", "number",
     "times that the sampler or a child of it had to make room for another task, of ours or not",
     count_of<&RoundMarks::switches>},
    {"frequency", "kHz", "of the CPU, at the round's end", count_of<&RoundMarks::frequency>},
    {"throttles", "number", "times that heat slowed the core or its package down",
     count_of<&RoundMarks::throttles>},
    {"disturbed", "",
     "what disturbed the round, by the rule in run.json: suspended, off its CPU, throttling, steal, other "
     "tasks "
     "or frequency",
     [](const M& r) { return std::string(to_string(r.marks.disturbed)); }},
    {"suspended", "s", "how long the machine was suspended within the round; no other time includes it",
     seconds_of<&RoundMarks::suspended>},
    {"moved", "number",
     "blocks at whose end a sampler was not held to its CPU, as where that went offline; of the threads of "
     "workers:threads only the first is looked at",
     count_of<&RoundMarks::moved>},
});

}  // namespace

std::span<const Column<RoundRecord>> round_columns() {
    return kRoundColumns;
}

std::span<const Column<ResultRecord>> result_columns() {
    return kResultColumns;
}

std::span<const Column<SampleRecord>> sample_columns() {
    return kSampleColumns;
}

// A tick has no fraction; a median of two, a mean and a standard deviation have one.
std::string format_number(double value) {
    constexpr double kWhole = 9007199254740992;  // up to here a double holds every whole number
    if (value > 0 && value < kWhole && value == std::floor(value))
        return std::to_string(static_cast<std::uint64_t>(value));  // as below, in a tenth of the time
    return value == std::floor(value) ? fmt::format("{:.0f}", value) : fmt::format("{:.3f}", value);
}

}  // namespace nsb::report
