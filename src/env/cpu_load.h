// What the kernel counts on CPUs: who ran there, and what kept anybody from running.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "env/files.h"

namespace nsb::env {

using Microseconds = std::int64_t;

/// What has been counted of one CPU since boot; absent what cannot be read.
struct CpuCounts {
    std::optional<Microseconds> ran;         ///< tasks, the kernel's threads among them
    std::optional<Microseconds> steal;       ///< that the hypervisor took
    std::optional<Microseconds> interrupts;  ///< and softirqs, as far as the kernel tells them from tasks
    std::optional<std::int64_t> frequency;   ///< kHz, now
    std::optional<std::int64_t> throttles;   ///< of the core and of the package, by heat
};

/// A kernel thread that may run on one of the CPUs.
struct KernelThread {
    Microseconds ran = 0;  ///< since it was made
    int cpu = -1;          ///< that it ran on last
};

/// All of it at one moment.
struct CpuReading {
    std::chrono::steady_clock::time_point at;
    std::map<int, CpuCounts> cpus;
    std::map<int, KernelThread> kernel_threads;  ///< by their number in /proc
};

/// What ran on one CPU between two readings.
struct CpuUse {
    std::optional<Microseconds> ran, steal, interrupts, kernel_threads;
};
CpuUse use_between(const CpuReading& begin, const CpuReading& end, int cpu);

/// Reads the counters of CPUs again and again.
class CpuLoad {
  public:
    CpuLoad(Root root, std::vector<int> cpus);

    CpuReading read();

    [[nodiscard]] const std::vector<int>& cpus() const { return cpus_; }
    /// The file that says how long tasks ran; empty where none does.
    [[nodiscard]] std::string_view source_of_ran() const;
    /// Whether /proc shows the kernel's threads.
    [[nodiscard]] bool shows_kernel_threads() const { return shows_kernel_threads_; }

  private:
    void read_stat(CpuReading& reading) const;
    void read_schedstat(CpuReading& reading) const;
    void read_kernel_threads(CpuReading& reading);
    [[nodiscard]] bool may_run_here(std::string_view name) const;

    Root root_;
    std::vector<int> cpus_;
    bool has_schedstat_, has_stat_, shows_kernel_threads_;

    struct Known {
        bool is_concerned;  ///< it may run on one of the CPUs
        KernelThread last;
    };
    std::map<int, Known> known_;  // kernel threads, by their number in /proc
};

/// How long the process, or its thread of that number, was ready to run and did not, of /proc/PID/schedstat.
std::optional<Microseconds> waited(const Root& root, int number);

}  // namespace nsb::env
