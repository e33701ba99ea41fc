#include "env/rcu_worker.h"

#include <fmt/format.h>

#include <vector>

#include "core/text.h"
#include "env/settings_table.h"

namespace nsb::env {
namespace {

/// As far as any kernel shows it in /proc/PID/comm.
constexpr std::string_view kName = "rcu_exp_gp_kthr";
/// proc_pid_stat(5): `processor` is the 39th field, `state`, the first behind the name, the third.
constexpr std::size_t kProcessor = 39 - 3;

std::optional<std::string> last_cpu(const Root& root, const std::string& folder) {
    const std::string line = first_line(root, folder + "/stat").value_or("");
    const std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) return std::nullopt;
    const std::vector<std::string> parts = words(std::string_view(line).substr(name_end + 1));
    return parts.size() > kProcessor ? std::optional(parts[kProcessor]) : std::nullopt;
}

}  // namespace

std::optional<RcuWorker> rcu_worker(const Root& root) {
    for (const std::string& number : names_in(root, "/proc")) {
        const std::string process = fmt::format("/proc/{}", number);
        if (!first_line(root, process + "/comm").value_or("").starts_with(kName)) continue;
        const std::string folder = fmt::format("{}/task/{}", process, number);
        const auto allowed = detail::affinity_of(root, folder);
        const auto cpu = last_cpu(root, folder);
        // Any process may give itself that name.
        if (allowed && cpu && detail::is_of_kernel(root, folder)) return RcuWorker{folder, *allowed, *cpu};
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
