// Checks of what the CPU does to a time: its frequency, its other users, its clock.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <thread>

#include "env/checks_table.h"
#include "env/machine.h"

namespace nsb::env::detail {
namespace {

constexpr std::string_view kClocks = "/sys/devices/system/clocksource/clocksource0";

/// Clocks that are read without a system call, through the vDSO.
constexpr std::array<std::string_view, 7> kFastClocks{
    "tsc",      "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "riscv_clocksource",
    "timebase", "tod"};

bool is_fast(std::string_view clock) {
    return std::find(kFastClocks.begin(), kFastClocks.end(), clock) != kFastClocks.end();
}

/// All CPUs' time in ticks, from the first line of /proc/stat.
struct CpuTime {
    std::uint64_t total = 0;
    std::uint64_t stolen = 0;
};

std::optional<CpuTime> cpu_time(const Root& root) {
    constexpr std::size_t kSteal = 7;  // user nice system idle iowait irq softirq steal; guest is within user
    const std::vector<std::string> parts = words(first_line(root, "/proc/stat").value_or(""));
    if (parts.size() < kSteal + 2 || parts[0] != "cpu") return std::nullopt;
    CpuTime time;
    for (std::size_t i = 0; i <= kSteal; ++i) {
        const std::string& text = parts[i + 1];
        std::uint64_t ticks = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), ticks);
        if (parsed.ec != std::errc{}) return std::nullopt;
        time.total += ticks;
        if (i == kSteal) time.stolen = ticks;
    }
    return time;
}

/// The part of the time between two readings that was stolen. The kernel's counters may step back a little.
double stolen_share(const CpuTime& from, const CpuTime& to) {
    if (to.total <= from.total || to.stolen <= from.stolen) return 0;
    return static_cast<double>(to.stolen - from.stolen) / static_cast<double>(to.total - from.total);
}

}  // namespace

Finding frequency_governor(const Root& root) {
    const std::string observed = governor(root);
    const std::string effect = "a CPU that changes its frequency changes every time with it";
    if (observed == "performance") return fine(observed);
    if (observed == kUnknown) {
        return unseen(effect, "the kernel controls no CPU's frequency; in a virtual machine the host does");
    }
    return {"", Severity::warning, observed, effect,
            "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy*/scaling_governor"};
}

Finding turbo_boost(const Root& root) {
    const std::string observed = turbo(root);
    const std::string effect =
        "the frequency depends on temperature and on what other CPUs do, and times with it";
    if (observed == "off") return fine(observed);
    if (observed == kUnknown) return unseen(effect, "the kernel has no switch for it");
    const bool intel = number(root, "/sys/devices/system/cpu/intel_pstate/no_turbo").has_value();
    return {"", Severity::warning, observed, effect,
            intel ? "echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo"
                  : "echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost"};
}

Finding smt_siblings(const Root& root) {
    const std::string observed = smt(root);
    const std::string effect = "what runs on the sibling of the measuring CPU slows it";
    if (observed == "off") return fine(observed);
    if (observed == kUnknown)
        return unseen(effect, "the kernel does not say whether cores run several threads");
    return {"", Severity::note, observed, effect, "echo off | sudo tee /sys/devices/system/cpu/smt/control"};
}

Finding steal_time(const Root& root) {
    const std::string effect =
        "the host gives this machine's CPUs to others: single samples grow by milliseconds";
    const auto before = cpu_time(root);
    if (!before) return unseen(effect, "/proc/stat has no steal time");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const double since_boot = stolen_share({}, *before);
    const double now = stolen_share(*before, cpu_time(root).value_or(*before));
    const std::string observed =
        fmt::format("{:.2f}% since boot, {:.0f}% over 100 ms", since_boot * 100, now * 100);
    // Over 100 ms one tick of one CPU is up to 10%: more than one is asked for.
    const bool much = since_boot > 0.01 || now > 0.1;
    if (!much && since_boot <= 0.001 && now <= 0) return fine(observed);
    return {"", much ? Severity::warning : Severity::note, observed, effect,
            no_remedy("only the host can change it; measure when it is idle, or on dedicated CPUs")};
}

Finding load(const Root& root) {
    const std::string effect = "other work takes the measuring CPU or its caches: medians drift, tails grow";
    const std::vector<std::string> parts = words(first_line(root, "/proc/loadavg").value_or(""));
    const auto cpus = online_cpus(root);
    double average = 0;
    if (parts.empty() || !cpus ||
        std::from_chars(parts[0].data(), parts[0].data() + parts[0].size(), average).ec != std::errc{}) {
        return unseen(effect, "the load average or the number of CPUs cannot be read");
    }
    const std::string observed = fmt::format("{} on {} {}", parts[0], *cpus, *cpus == 1 ? "CPU" : "CPUs");
    const double share = average / static_cast<double>(*cpus);
    if (share <= 0.1) return fine(observed);
    return {"", share > 0.5 ? Severity::warning : Severity::note, observed, effect,
            "ps -eo pcpu,pid,comm --sort=-pcpu | head  # then stop what need not run"};
}

Finding clocksource(const Root& root) {
    const auto current = first_line(root, fmt::format("{}/current_clocksource", kClocks));
    const std::string effect = "reading the clock may take a system call or more, which is within each time";
    if (!current) return unseen(effect, "the kernel does not show its clock source");
    if (is_fast(*current)) return fine(*current);
    const std::string available =
        first_line(root, fmt::format("{}/available_clocksource", kClocks)).value_or("");
    for (const std::string& clock : words(available)) {
        if (!is_fast(clock)) continue;
        return {"", Severity::warning, *current, effect,
                fmt::format("echo {} | sudo tee {}/current_clocksource", clock, kClocks)};
    }
    return {"", Severity::warning, *current, effect,
            no_remedy(
                fmt::format("no faster clock is available ({})", available.empty() ? kUnknown : available))};
}

Finding virtualisation_layer(const Root& root) {
    const std::string layer = virtualisation(root);
    const std::string observed = fmt::format("{}; container: {}", layer, container(root));
    if (layer == "none") return fine(observed);
    return {"", Severity::note, observed,
            "page tables cost more to build and to walk, and the host's load shows in the times",
            no_remedy("compare with runs on the same kind of machine only")};
}

}  // namespace nsb::env::detail
