#include "env/cpu_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/text.h"

namespace nsb::env {
namespace {

constexpr std::string_view kStat = "/proc/stat";
constexpr std::string_view kSchedstat = "/proc/schedstat";
/// The children of kthreadd, whose number is 2 in the initial pid namespace alone (CONFIG_PROC_CHILDREN).
constexpr std::string_view kKernelThreads = "/proc/2/task/2/children";
/// USER_HZ, what /proc/stat counts in, is 100 on x86.
constexpr Microseconds kClockTick = 10'000;

std::optional<std::int64_t> whole(std::string_view text) {
    const auto value = parse_count(std::string(text), 0, INT64_MAX);
    return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
}

/// The numbers behind `name` in the line that begins with it; none where there is no such line.
std::vector<std::int64_t> numbers_of(std::string_view text, std::string_view name) {
    std::vector<std::int64_t> numbers;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = text.substr(begin, end - begin);
        begin = end + 1;
        if (!line.starts_with(name) || line.substr(name.size(), 1) != " ") continue;
        for (const std::string& word : words(line.substr(name.size()))) {
            const auto value = whole(word);
            if (!value) return {};
            numbers.push_back(*value);
        }
        return numbers;
    }
    return numbers;
}

std::string name_of(int cpu) {
    return fmt::format("cpu{}", cpu);
}

template <typename T>
std::optional<T> difference(std::optional<T> begin, std::optional<T> end) {
    // Idle time, and what is made of it, has gone backwards on kernels (get_cpu_idle_time_us).
    if (!begin || !end) return std::nullopt;
    return std::max<T>(0, *end - *begin);
}

/// Of /proc/PID/schedstat: ran, waited in ns, and how often.
std::optional<std::array<std::int64_t, 2>> schedstat_of(const Root& root, int number) {
    const auto line = first_line(root, fmt::format("/proc/{}/schedstat", number));
    if (!line) return std::nullopt;
    const std::vector<std::string> parts = words(*line);
    if (parts.size() < 2) return std::nullopt;
    const auto ran = whole(parts[0]);
    const auto waited = whole(parts[1]);
    if (!ran || !waited) return std::nullopt;
    return std::array{*ran / 1000, *waited / 1000};
}

/// The name and the CPU of /proc/PID/stat (proc_pid_stat(5): `processor` is the 39th).
struct StatOf {
    std::string name;
    int cpu;
};
std::optional<StatOf> stat_of(const Root& root, int number) {
    constexpr std::size_t kProcessor = 39;
    const auto line = first_line(root, fmt::format("/proc/{}/stat", number));
    if (!line) return std::nullopt;
    const std::size_t open = line->find('(');
    const std::size_t close = line->rfind(')');
    if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
    const std::vector<std::string> rest = words(std::string_view(*line).substr(close + 1));
    const auto cpu = rest.size() > kProcessor - 3 ? whole(rest[kProcessor - 3]) : std::nullopt;
    if (!cpu) return std::nullopt;
    return StatOf{line->substr(open + 1, close - open - 1), static_cast<int>(*cpu)};
}

}  // namespace

CpuUse use_between(const CpuReading& begin, const CpuReading& end, int cpu) {
    const auto before = begin.cpus.find(cpu);
    const auto after = end.cpus.find(cpu);
    if (before == begin.cpus.end() || after == end.cpus.end()) return {};
    CpuUse use{difference(before->second.ran, after->second.ran),
               difference(before->second.steal, after->second.steal),
               difference(before->second.interrupts, after->second.interrupts), std::nullopt};
    if (end.kernel_threads.empty()) return use;
    Microseconds sum = 0;
    for (const auto& [number, thread] : end.kernel_threads) {
        const auto earlier = begin.kernel_threads.find(number);
        const bool is_new = earlier == begin.kernel_threads.end();
        // One that has moved may have run on either: taken as having run here, so that others never have too
        // much.
        if (thread.cpu != cpu && (is_new || earlier->second.cpu != cpu)) continue;
        sum += thread.ran - (is_new ? 0 : earlier->second.ran);
    }
    use.kernel_threads = std::max<Microseconds>(0, sum);
    return use;
}

CpuLoad::CpuLoad(Root root, std::vector<int> cpus) : root_(std::move(root)), cpus_(std::move(cpus)) {
    std::ranges::sort(cpus_);
    cpus_.erase(std::unique(cpus_.begin(), cpus_.end()), cpus_.end());
    const auto has_all = [&](std::string_view file) {
        const std::string text = read_text(root_, file).value_or("");
        return !cpus_.empty() && std::ranges::all_of(cpus_, [&](int cpu) {
            return numbers_of(text, name_of(cpu)).size() >= 8;
        });
    };
    has_schedstat_ = has_all(kSchedstat);
    has_stat_ = has_all(kStat);
    shows_kernel_threads_ = !read_text(root_, kKernelThreads).value_or("").empty() &&
                            first_line(root_, "/proc/2/comm") == "kthreadd";
}

std::string_view CpuLoad::source_of_ran() const {
    return has_schedstat_ ? kSchedstat : has_stat_ ? kStat : "";
}

CpuReading CpuLoad::read() {
    CpuReading reading;
    reading.at = std::chrono::steady_clock::now();
    for (const int cpu : cpus_) {
        CpuCounts& counts = reading.cpus[cpu];
        const std::string folder = fmt::format("/sys/devices/system/cpu/cpu{}/", cpu);
        const auto counted = [&](std::string_view file) -> std::optional<std::int64_t> {
            const auto line = first_line(root_, folder + std::string(file));
            return line ? whole(*line) : std::nullopt;
        };
        counts.frequency = counted("cpufreq/scaling_cur_freq");
        const auto core = counted("thermal_throttle/core_throttle_count");
        const auto package = counted("thermal_throttle/package_throttle_count");
        if (core || package) counts.throttles = core.value_or(0) + package.value_or(0);
    }
    if (has_stat_) read_stat(reading);
    if (has_schedstat_) read_schedstat(reading);
    if (shows_kernel_threads_) read_kernel_threads(reading);
    return reading;
}

/// cpuN user nice system idle iowait irq softirq steal … (proc_stat(5)).
void CpuLoad::read_stat(CpuReading& reading) const {
    const std::string text = read_text(root_, kStat).value_or("");
    const Microseconds now =
        std::chrono::duration_cast<std::chrono::microseconds>(reading.at.time_since_epoch()).count();
    for (auto& [cpu, counts] : reading.cpus) {
        const std::vector<std::int64_t> ticks = numbers_of(text, name_of(cpu));
        if (ticks.size() < 8) continue;
        counts.steal = ticks[7] * kClockTick;
        counts.interrupts = (ticks[5] + ticks[6]) * kClockTick;
        // What is not idle: where the tick stops in idle (NO_HZ) idle time is counted exactly, and shown in
        // ticks (get_idle_time in fs/proc/stat.c); what tasks did is counted by the timer's ticks alone.
        counts.ran = now - (ticks[3] + ticks[4]) * kClockTick - *counts.steal - *counts.interrupts;
    }
}

/// cpuN and nine numbers, of which the seventh is what tasks ran, in ns, counted when one stops running
/// (sched_info_depart in kernel/sched/stats.h; Documentation/scheduler/sched-stats.rst).
void CpuLoad::read_schedstat(CpuReading& reading) const {
    const std::string text = read_text(root_, kSchedstat).value_or("");
    for (auto& [cpu, counts] : reading.cpus) {
        const std::vector<std::int64_t> numbers = numbers_of(text, name_of(cpu));
        if (numbers.size() < 8) continue;
        // From its begin to its end on the CPU: with what interrupts and the hypervisor took of it.
        counts.ran = numbers[6] / 1000 - counts.steal.value_or(0) - counts.interrupts.value_or(0);
    }
}

/// `kworker/3:1H` and `ksoftirqd/3` are CPU 3's alone; `kworker/u8:2` and those without a slash are not
/// bound.
bool CpuLoad::may_run_here(std::string_view name) const {
    const std::size_t slash = name.find('/');
    if (slash == std::string_view::npos) return true;
    const std::string_view rest = name.substr(slash + 1);
    const auto bound = whole(rest.substr(0, rest.find_first_not_of("0123456789")));
    return !bound || std::ranges::find(cpus_, static_cast<int>(*bound)) != cpus_.end();
}

void CpuLoad::read_kernel_threads(CpuReading& reading) {
    std::map<int, Known> known;
    for (const std::string& word : words(read_text(root_, kKernelThreads).value_or(""))) {
        const auto value = whole(word);
        if (!value) continue;
        const auto number = static_cast<int>(*value);
        const auto before = known_.find(number);
        if (before != known_.end() && !before->second.is_concerned) {
            known.insert(*before);
            continue;
        }
        const auto times = schedstat_of(root_, number);
        if (!times) continue;
        Known one{true, {times->front(), -1}};
        if (before != known_.end() && before->second.last.ran == one.last.ran) {
            one = before->second;  // it has not run, so it has not moved: half of the files need not be read
        } else {
            const auto stat = stat_of(root_, number);
            if (!stat) continue;
            one.is_concerned = may_run_here(stat->name);
            one.last.cpu = stat->cpu;
        }
        known.emplace(number, one);
        if (one.is_concerned) reading.kernel_threads.emplace(number, one.last);
    }
    known_ = std::move(known);
}

std::optional<Microseconds> waited(const Root& root, int number) {
    const auto times = schedstat_of(root, number);
    return times ? std::optional((*times)[1]) : std::nullopt;
}

}  // namespace nsb::env
