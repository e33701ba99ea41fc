// Markers of the machine that measures.
#pragma once

#include <chrono>
#include <map>
#include <utility>
#include <vector>

#include "env/cpu_load.h"
#include "run/markers.h"
#include "run/sampler_pool.h"
#include "run/suspension.h"

namespace nsb::run {

/// Markers of the CPUs that the samplers are pinned to.
class KernelMarkers final : public Markers {
  public:
    explicit KernelMarkers(const SamplerPool& samplers, const env::Root& root = {});

    void begin() override;
    RoundMarks end(std::uint32_t round) override;

    [[nodiscard]] std::vector<MarkerSource> sources();

  private:
    struct Reading {
        std::chrono::system_clock::time_point wall;
        Lag lag;
        env::CpuReading cpus;
        /// By purpose and number, of which what they have taken never begins anew.
        std::map<std::pair<Sampler::Purpose, std::size_t>, SamplerPool::Use> samplers;
        std::map<pid_t, env::Microseconds> waited;  ///< of those that /proc shows
        env::Microseconds own;                      ///< that this process ran
    };
    Reading read();
    /// What ours took of that CPU.
    [[nodiscard]] env::Microseconds ours(const Reading& end, int cpu) const;
    void mark_cpus(RoundMarks& marks, const Reading& end) const;
    void mark_samplers(RoundMarks& marks, const Reading& end) const;

    const SamplerPool& samplers_;
    env::Root root_;
    env::CpuLoad load_;
    std::vector<int> own_cpus_;  // that this process may run on
    Reading begin_{};
    std::chrono::steady_clock::time_point ended_{};  // when that was read, if at a round's end
};

}  // namespace nsb::run
