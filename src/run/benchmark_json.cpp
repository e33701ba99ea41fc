#include <fmt/format.h>

#include <map>
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

}  // namespace

std::string benchmark_json(const RunInfo& info, std::span<const Row> rows,
                           std::span<const Series* const> series) {
    std::map<Case, const Series*> by_case;
    const std::set<std::uint32_t> left_out = info.row_context().left_out;
    std::vector<Series> left;
    left.reserve(series.size());
    for (const Series* s : series) {
        if (!left_out.empty()) s = &left.emplace_back(without_rounds(*s, left_out));
        by_case[s->measured] = s;
    }

    describe_context(info.identity, info.version);
    std::ostringstream out;
    std::ostringstream errors;
    benchmark::JSONReporter reporter;
    reporter.SetOutputStream(&out);
    reporter.SetErrorStream(&errors);
    reporter.ReportContext(benchmark::BenchmarkReporter::Context());

    std::vector<Run> runs;
    std::int64_t family = 0;
    for (const Row& row : rows) {
        const std::size_t first = runs.size();
        if (!row.figures) {
            runs.push_back(make_run(row, 0, 0));
            runs.back().error_occurred = true;
            runs.back().error_message = error_message(row);
        } else {
            std::map<RoundKey, std::size_t> counts;
            for (const Sample& sample : by_case.at(row.measured)->samples) {
                counts[{sample.machine, sample.round}] += sample.counted ? 1 : 0;
            }
            const auto medians = by_case.at(row.measured)->round_medians(row.phase);
            std::int64_t repetition = 0;
            for (const auto& [round, value] : medians) {
                runs.push_back(make_run(row, value, counts[round]));
                runs.back().repetition_index = repetition++;
                runs.back().repetitions = static_cast<std::int64_t>(medians.size());
            }
            runs.push_back(make_run(row, row.figures->median, medians.size()));
            runs.back().run_type = Run::RT_Aggregate;
            runs.back().aggregate_name = "median";
            runs.back().repetitions = static_cast<std::int64_t>(medians.size());
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
    return as_utf8(out.str());
}

}  // namespace nsb::run
