#include <fmt/format.h>

#include <map>
#include <regex>
#include <sstream>

#include "core/utf8.h"
#include "run/registered.h"
#include "run/store.h"

namespace nsb::run {
namespace {

using Run = benchmark::BenchmarkReporter::Run;

/// One entry of the "benchmarks" array. Times are per iteration, as the reporter divides what is accumulated.
Run make_run(const Row& row, double ticks, std::size_t iterations) {
    Run run;
    run.run_name.function_name = fmt::format("{}/phase:{}", to_string(row.measured), info(row.phase).name);
    run.iterations = static_cast<benchmark::IterationCount>(iterations);
    run.threads = 1;
    run.time_unit = benchmark::kNanosecond;
    run.real_accumulated_time = ticks * kSecondsPerTick * static_cast<double>(iterations);
    run.cpu_accumulated_time = run.real_accumulated_time;
    return run;
}

/// A repetition: its median, and the samples that this is of.
struct Repetition {
    double median;
    std::size_t samples;
};

std::vector<Repetition> rounds_of(const Series& series, Phase phase) {
    std::map<RoundKey, std::size_t> counts;
    for (const Stretch& stretch : series.samples.stretches()) {
        if (phase == Phase::drain && stretch.drain <= 0) continue;  // not seen: it is of no median
        counts[{stretch.machine, stretch.round}] += stretch.end - stretch.counted;
    }
    std::vector<Repetition> all;
    for (const auto& [round, value] : series.round_medians(phase)) all.push_back({value, counts[round]});
    return all;
}

std::vector<Repetition> repeats_of(std::span<const std::vector<Row>> repeats, const Row& row) {
    std::vector<Repetition> all;
    for (const std::vector<Row>& rows : repeats) {
        for (const Row& own : rows) {
            if (own.measured == row.measured && own.phase == row.phase && own.figures)
                all.push_back({own.figures->median, own.figures->samples});
        }
    }
    return all;
}

void append(std::vector<Run>& runs, const Row& row, const std::vector<Repetition>& repetitions,
            JsonEntries entries) {
    std::int64_t index = 0;
    for (const Repetition& one : repetitions) {
        if (entries == JsonEntries::aggregates) break;
        runs.push_back(make_run(row, one.median, one.samples));
        runs.back().repetition_index = index++;
        runs.back().repetitions = static_cast<std::int64_t>(repetitions.size());
    }
    runs.push_back(make_run(row, row.figures->median, repetitions.size()));
    runs.back().run_type = Run::RT_Aggregate;
    runs.back().aggregate_name = "median";
    runs.back().repetitions = static_cast<std::int64_t>(repetitions.size());
}

/// The reporter says how the library itself was built, and Debian's says debug. No time here depends on that:
/// a reader takes it for how what was measured is built, which is as this program is.
std::string with_own_build_type(const std::string& context) {
#ifdef NDEBUG
    constexpr std::string_view kOwn = R"("library_build_type": "release")";
#else
    constexpr std::string_view kOwn = R"("library_build_type": "debug")";
#endif
    static const std::regex kType(R"("library_build_type": "\w*")");
    return std::regex_replace(context, kType, std::string(kOwn), std::regex_constants::format_first_only);
}

}  // namespace

std::string benchmark_json(const RunData& data, JsonEntries entries) {
    std::map<Case, const Series*> by_case;
    const std::set<std::uint32_t> left_out = data.info.row_context().left_out;
    for (const Series* s : data.series) by_case[s->measured] = s;
    const auto counted_rounds = [&](const Row& row) {
        const Series& all = *by_case.at(row.measured);
        return rounds_of(left_out.empty() ? all : without_rounds(all, left_out), row.phase);
    };

    describe_context(data.info.identity, data.info.version);
    std::ostringstream out;
    std::ostringstream errors;
    benchmark::JSONReporter reporter;
    reporter.SetOutputStream(&out);
    reporter.SetErrorStream(&errors);
    reporter.ReportContext(benchmark::BenchmarkReporter::Context());
    const std::string context = with_own_build_type(out.str());
    out.str("");

    std::vector<Run> runs;
    std::int64_t family = 0;
    for (const Row& row : data.rows) {
        const std::size_t first = runs.size();
        if (!row.figures) {
            runs.push_back(make_run(row, 0, 0));
            runs.back().error_occurred = true;
            runs.back().error_message = error_message(row);
        } else {
            append(runs, row, data.info.is_of_repeats() ? repeats_of(data.repeats, row) : counted_rounds(row),
                   entries);
        }
        for (std::size_t i = first; i < runs.size(); ++i) {
            runs[i].family_index = family;
            runs[i].per_family_instance_index = 0;
        }
        ++family;
    }
    if (!runs.empty()) reporter.ReportRuns(runs);
    reporter.Finalize();
    // Its context has the hostname, which is any bytes.
    return as_utf8(context + out.str());
}

}  // namespace nsb::run
