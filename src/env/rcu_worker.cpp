#include "env/rcu_worker.h"

#include <fmt/format.h>

#include "env/thread.h"

namespace nsb::env {
namespace {

/// As far as any kernel shows it in /proc/PID/comm.
constexpr std::string_view kName = "rcu_exp_gp_kthr";
/// Of `stat`: the CPU that it ran on last.
constexpr std::size_t kProcessor = 39;

}  // namespace

std::optional<RcuWorker> rcu_worker(const Root& root) {
    for (const std::string& number : names_in(root, "/proc")) {
        const std::string process = fmt::format("/proc/{}", number);
        if (!first_line(root, process + "/comm").value_or("").starts_with(kName)) continue;
        const std::string folder = fmt::format("{}/task/{}", process, number);
        const auto started = detail::start_of(root, folder);
        const auto allowed = detail::affinity_of(root, folder);
        const auto cpu = detail::stat_field(root, folder, kProcessor);
        // Any process may give itself that name.
        if (started && allowed && cpu && detail::is_of_kernel(root, folder))
            return RcuWorker{folder, *allowed, *cpu, *started};
    }
    return std::nullopt;
}

std::string rcu_worker_place(const Root& root) {
    const auto worker = rcu_worker(root);
    if (worker && worker->allowed == worker->cpu) return fmt::format("CPU {}", worker->cpu);
    if (worker) return fmt::format("last on CPU {} of {}", worker->cpu, worker->allowed);
    return first_line(root, "/proc/2/comm") == "kthreadd" ? "none" : std::string(kUnknown);
}

}  // namespace nsb::env
