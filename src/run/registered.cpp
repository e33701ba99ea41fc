#include "run/registered.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <utility>

namespace nsb::run {
namespace {

/// An option of Google Benchmark's, and what it is without a variable.
struct Default {
    std::string_view option, value;
};
constexpr auto kDefaults = std::to_array<Default>({{"benchmark_list_tests", "false"},
                                                   {"benchmark_filter", "all"},
                                                   {"benchmark_min_time", "0.5"},
                                                   {"benchmark_min_warmup_time", "0"},
                                                   {"benchmark_repetitions", "1"},
                                                   {"benchmark_dry_run", "false"},
                                                   {"benchmark_enable_random_interleaving", "false"},
                                                   {"benchmark_report_aggregates_only", "false"},
                                                   {"benchmark_display_aggregates_only", "false"},
                                                   {"benchmark_format", "console"},
                                                   {"benchmark_out", ""},
                                                   {"benchmark_out_format", "json"},
                                                   {"benchmark_color", "auto"},
                                                   {"benchmark_counters_tabular", "false"},
                                                   {"benchmark_perf_counters", ""},
                                                   {"benchmark_time_unit", ""},
                                                   {"v", "0"}});

/// Its name in capitals.
std::string variable_of(std::string_view option) {
    std::string name(option);
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return name;
}

}  // namespace

#ifndef __clang_analyzer__  // it takes what the library's registry owns for leaked
benchmark::internal::Benchmark* register_case(const Case& c, std::function<void(benchmark::State&)> body) {
    return benchmark::RegisterBenchmark(to_string(c).c_str(), std::move(body))
        ->UseManualTime()
        ->Unit(benchmark::kNanosecond);
}
#endif

void describe_context(const report::RunIdentity& identity, std::string_view version) {
    benchmark::AddCustomContext("run_id", identity.run_id);
    benchmark::AddCustomContext("kernel", identity.kernel);
    benchmark::AddCustomContext("clock", std::string(info(identity.clock).name));
    benchmark::AddCustomContext("nsbench_version", std::string(version));
}

std::vector<std::string> words_against_variables() {
    std::vector<std::string> words;
    for (const auto& [option, value] : kDefaults) {
        if (std::getenv(variable_of(option).c_str()) != nullptr)
            words.push_back(fmt::format("--{}={}", option, value));
    }
    return words;
}

std::string error_message(const Row& row) {
    return fmt::format("{}: {}: {}", to_string(row.status), row.error, row.reason);
}

}  // namespace nsb::run
