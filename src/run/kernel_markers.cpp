#include "run/kernel_markers.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "sys/proc.h"
#include "sys/process.h"

namespace nsb::run {
namespace {

using env::Microseconds;

constexpr auto kAtOnce = std::chrono::milliseconds(1);

template <typename Duration>
Microseconds us(Duration duration) {
    return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

/// That this process ran.
Microseconds own_time() {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return us(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

void raise(std::optional<std::int64_t>& most, std::optional<std::int64_t> value) {
    if (value) most = std::max(most.value_or(0), *value);
}

constexpr std::string_view kNotPinned = "not pinned: no CPU is the one that is measured on (--cpu=any)";

}  // namespace

KernelMarkers::KernelMarkers(const SamplerPool& samplers, const env::Root& root)
    : samplers_(samplers), root_(root), load_(root, samplers.cpus()), own_cpus_(sys::allowed_cpus()) {}

KernelMarkers::Reading KernelMarkers::read() {
    Reading reading{std::chrono::system_clock::now(), Lag::now(), load_.read(), {}, {}, own_time()};
    for (const SamplerPool::Use& use : samplers_.uses()) {
        reading.samplers.emplace(std::pair(use.purpose, use.number), use);
        const auto number = sys::number_in_proc(use.pid);
        const auto waited = number ? env::waited(root_, *number) : std::nullopt;
        if (waited) reading.waited[use.pid] = *waited;
    }
    return reading;
}

void KernelMarkers::begin() {
    // The end of the round before will do, where nothing was saved in between.
    if (std::chrono::steady_clock::now() - ended_ > kAtOnce) begin_ = read();
}

RoundMarks KernelMarkers::end(std::uint32_t round) {
    Reading end = read();
    RoundMarks marks;
    marks.round = round;
    marks.begin = us(begin_.wall.time_since_epoch());
    marks.duration = us(end.cpus.at - begin_.cpus.at);
    marks.suspended = suspended_between(begin_.lag, end.lag);
    mark_cpus(marks, end);
    mark_samplers(marks, end);
    begin_ = std::move(end);
    ended_ = std::chrono::steady_clock::now();
    return marks;
}

Microseconds KernelMarkers::ours(const Reading& end, int cpu) const {
    Microseconds sum = 0;
    for (const auto& [who, use] : end.samplers) {
        if (use.cpu != cpu) continue;
        const auto earlier = begin_.samplers.find(who);
        sum += static_cast<Microseconds>(use.used.ran_us);
        if (earlier != begin_.samplers.end()) sum -= static_cast<Microseconds>(earlier->second.used.ran_us);
    }
    // Where it may run there it may have run there all the time.
    if (std::ranges::find(own_cpus_, cpu) != own_cpus_.end()) sum += end.own - begin_.own;
    return sum;
}

void KernelMarkers::mark_cpus(RoundMarks& marks, const Reading& end) const {
    for (const int cpu : load_.cpus()) {
        const env::CpuUse use = env::use_between(begin_.cpus, end.cpus, cpu);
        raise(marks.steal, use.steal);
        raise(marks.kernel_threads, use.kernel_threads);
        if (use.ran && use.kernel_threads) {
            raise(marks.others, std::max<Microseconds>(0, *use.ran - ours(end, cpu) - *use.kernel_threads));
        }
        const env::CpuCounts& last = end.cpus.cpus.at(cpu);
        const env::CpuCounts& first = begin_.cpus.cpus.at(cpu);
        if (first.throttles && last.throttles) raise(marks.throttles, *last.throttles - *first.throttles);
        if (last.frequency)
            marks.frequency = std::min(marks.frequency.value_or(*last.frequency), *last.frequency);
    }
}

void KernelMarkers::mark_samplers(RoundMarks& marks, const Reading& end) const {
    for (const auto& [pid, waited] : end.waited) {
        const auto earlier = begin_.waited.find(pid);
        raise(marks.waited, waited - (earlier == begin_.waited.end() ? 0 : earlier->second));
    }
    for (const auto& [who, use] : end.samplers) {
        const auto earlier = begin_.samplers.find(who);
        const bool is_new = earlier == begin_.samplers.end();
        const std::uint64_t before = is_new ? 0 : earlier->second.used.preempted;
        raise(marks.switches, static_cast<std::int64_t>(use.used.preempted - before));
        if (!use.cpu || !use.moved) continue;
        const std::uint64_t moved_before = is_new ? 0 : earlier->second.moved.value_or(0);
        raise(marks.moved, static_cast<std::int64_t>(*use.moved - moved_before));
    }
}

std::vector<MarkerSource> KernelMarkers::sources() {
    const env::CpuReading now = load_.read();
    const auto any = [&](auto member) {
        return std::ranges::any_of(now.cpus,
                                   [&](const auto& one) { return (one.second.*member).has_value(); });
    };
    const bool is_pinned = !load_.cpus().empty();
    const auto source = [&](std::string_view column, bool is_known, std::string from, std::string_view why) {
        if (is_known) return MarkerSource{column, std::move(from), ""};
        return MarkerSource{column, "", std::string(is_pinned ? why : kNotPinned)};
    };
    const bool shows_sampler = !read().waited.empty();
    MarkerSource waited{"waited", "/proc/PID/schedstat of the sampler", ""};
    if (!shows_sampler) waited = {"waited", "", "/proc does not show the sampler, or has no schedstat"};
    const bool has_threads = load_.shows_kernel_threads();
    return {source("steal", any(&env::CpuCounts::steal), "/proc/stat", "/proc/stat has no such line"),
            source("others", any(&env::CpuCounts::ran) && has_threads, std::string(load_.source_of_ran()),
                   has_threads ? "neither /proc/schedstat nor /proc/stat has such a line"
                               : "/proc does not show the kernel's threads, whose time would be among it"),
            source("kernel_threads", has_threads, "/proc/PID/schedstat",
                   "/proc does not show the kernel's threads"),
            std::move(waited),
            {"switches", "getrusage(2)", ""},
            source("frequency", any(&env::CpuCounts::frequency), "cpufreq/scaling_cur_freq",
                   "the kernel has no cpufreq for it, as in most guests"),
            source("throttles", any(&env::CpuCounts::throttles), "thermal_throttle",
                   "the kernel has no thermal_throttle for it, as in most guests"),
            {"suspended", "CLOCK_BOOTTIME, less CLOCK_MONOTONIC", ""},
            source("moved", is_pinned, "sched_getaffinity(2)", kNotPinned)};
}

}  // namespace nsb::run
