#include "run/registered.h"

#include <fmt/format.h>

#include <utility>

namespace nsb::run {

benchmark::internal::Benchmark* register_case(const Case& c, std::function<void(benchmark::State&)> body) {
    return benchmark::RegisterBenchmark(to_string(c).c_str(), std::move(body))
        ->UseManualTime()
        ->Unit(benchmark::kNanosecond);
}

void describe_context(const report::RunIdentity& identity, std::string_view version) {
    benchmark::AddCustomContext("run_id", identity.run_id);
    benchmark::AddCustomContext("kernel", identity.kernel);
    benchmark::AddCustomContext("clock", std::string(info(identity.clock).name));
    benchmark::AddCustomContext("nsbench_version", std::string(version));
}

std::string error_message(const Row& row) {
    return fmt::format("{}: {}: {}", to_string(row.status), row.error, row.reason);
}

}  // namespace nsb::run
