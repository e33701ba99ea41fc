#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <sstream>

#include "core/utf8.h"
#include "run/store.h"
#include "sys/error.h"
#include "sys/privilege.h"

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
    run.real_accumulated_time = ticks * 1e-9 * static_cast<double>(iterations);
    run.cpu_accumulated_time = run.real_accumulated_time;
    return run;
}

}  // namespace

void look_at_cpus() {
    // Without /proc it would say so, and nothing can be measured either, which is said with what to do.
    if (access("/proc/cpuinfo", R_OK) != 0) return;
    constexpr std::size_t kAtOnce = 2;
    if (!sys::can_open(kAtOnce)) throw sys::SystemError("open", "/sys/devices/system/cpu", EMFILE);
    (void)benchmark::CPUInfo::Get();
}

std::string benchmark_json(const RunInfo& info, std::span<const Row> rows,
                           std::span<const Series* const> series) {
    std::map<Case, const Series*> by_case;
    for (const Series* s : series) by_case[s->measured] = s;

    benchmark::AddCustomContext("run_id", info.identity.run_id);
    benchmark::AddCustomContext("kernel", info.identity.kernel);
    benchmark::AddCustomContext("clock", info.identity.clock);
    benchmark::AddCustomContext("nsbench_version", info.version);
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
            runs.back().error_message =
                fmt::format("{}: {}: {}", to_string(row.status), row.error, row.reason);
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
