// What is known of a run beside its samples: the content of run.json.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/probed.h"
#include "core/series.h"
#include "env/checks.h"
#include "env/environment.h"
#include "report/columns.h"
#include "run/plan.h"
#include "run/runtimes.h"

namespace nsb::run {

/// Uncounted samples at the start of each block, unless told otherwise.
inline constexpr std::uint32_t kDefaultLeadIn = 2;

/// How a run measures. Times are wall time also under the instruction clock.
struct RunOptions {
    Selection selection;
    std::optional<std::chrono::nanoseconds> budget = std::chrono::seconds(60);  ///< none: as long as it takes
    double precision = 0.02;
    std::optional<std::uint32_t> samples;  ///< a fixed number for each case instead of a precision
    std::uint64_t seed = 0;
    std::optional<std::uint32_t> block;  ///< counted samples of a block; none: as the time allows
    std::uint32_t lead_in = kDefaultLeadIn;
    bool alone = false;      ///< no base is measured beside the cases: there is no delta
    std::optional<int> cpu;  ///< the first sampler's CPU; none: not pinned
    std::string clock = "wall";

    /// The idle time before each block. Where the clock counts instructions it costs nothing, and lets the
    /// kernel finish what earlier blocks left to it (RCU callbacks, which give back stacks and slabs):
    /// without it a clone took one of two values, 10% apart, for a whole block.
    [[nodiscard]] std::chrono::milliseconds settle() const {
        return std::chrono::milliseconds(clock == "instructions" ? 100 : 0);
    }
};

/// What is constant in the measuring, published because it shapes the figures.
inline constexpr std::uint32_t kMaxBacklog =
    64;  ///< namespaces left to the kernel's workers before they are waited for
inline constexpr std::uint32_t kMinRounds = 8;  ///< counted rounds before a case can be precise enough

struct RunInfo {
    report::RunIdentity identity;
    std::string version;
    std::string started;  ///< UTC, ISO 8601
    std::vector<std::string> arguments;
    RunOptions options;
    std::vector<env::Fact> environment;
    std::vector<env::Finding> findings;
    bool in_userns = false;  ///< measured as an ordinary user: sets gained NEWUSER
    std::uint64_t sampler_resident_bytes = 0;
    std::size_t sampler_mappings = 0;
    std::vector<int> sampler_cpus;  ///< of each sampler; empty where not pinned
    double clock_read_ticks = 0;    ///< median of two adjacent readings' difference
    double loop_ticks = 0;          ///< median of one turn of the sampler's loop without an operation
    std::optional<Unseen> drain_unseen;
    std::uint32_t drains = 0, drains_incomplete = 0;
    std::uint64_t drained_samples = 0;    ///< asked for in the blocks before the drains
    std::uint32_t rounds = 0;             ///< counted, begun
    std::uint32_t samples_per_block = 0;  ///< counted ones, in the last round
    double warm_up_seconds = 0;           ///< that its warm-up round took: what block sizes are chosen by
    double seconds = 0;                   ///< that the measuring took
    int interrupted_by = 0;               ///< a signal's number
    std::vector<std::string> warnings;
    std::vector<Runtime> runtimes;     ///< empty where none was asked for
    std::optional<ProbeReport> probe;  ///< absent where it was off, or could not be had

    [[nodiscard]] RowContext row_context() const {
        // Inside a user namespace of its own a sampler has all capabilities.
        const auto held = in_userns ? std::optional(~Capabilities{0})
                                    : parse_capabilities(env::find(environment, "capabilities"));
        return {options.precision, drain_unseen, held};
    }
};

}  // namespace nsb::run
