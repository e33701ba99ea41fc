// What is known of a run beside its samples: the content of run.json. Each step of a run returns its part,
// and Measurement::describe() puts them together.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/disturbance.h"
#include "core/probed.h"
#include "core/series.h"
#include "env/checks.h"
#include "env/environment.h"
#include "report/columns.h"
#include "run/block_shape.h"
#include "run/run_options.h"
#include "run/runtimes.h"

namespace nsb::run {

/// Of a run that is one of several, or what several come to together: --repeat.
struct Repeat {
    std::uint32_t number = 0;  ///< from 1; 0 where it is all of them together
    std::uint32_t count = 1;
    std::chrono::nanoseconds apart{0};  ///< at least, between the end of one and the begin of the next
    bool complete = false;              ///< came to its end; of all together: each of them did

    [[nodiscard]] bool is_of_all() const { return number == 0; }
};

/// What is known before anything is measured.
struct RunStart {
    report::RunIdentity identity;
    std::string version;
    std::string started;  ///< UTC, ISO 8601
    std::vector<std::string> arguments;
    RunOptions options;
    std::vector<env::Fact> environment;
    std::vector<env::Finding> findings;
    std::vector<std::string> warnings;  ///< of all steps until now, in their order
    std::optional<Repeat> repeat{};     ///< absent where there is but one

    /// Those that it has not been warned of yet.
    void warn(std::span<const std::string> more) {
        for (const std::string& warning : more) {
            if (std::ranges::find(warnings, warning) == warnings.end()) warnings.push_back(warning);
        }
    }

    /// Whether it is several runs taken together, with rows and no samples of its own.
    [[nodiscard]] bool is_of_repeats() const { return repeat && repeat->is_of_all(); }
};

/// What the samplers are and may do.
struct SamplerFacts {
    bool in_userns = false;  ///< measured as an ordinary user: sets gained NEWUSER
    KindSet base_set;        ///< of the bases: none in a run of an earlier nsbench, too
    std::uint64_t sampler_resident_bytes = 0;
    std::size_t sampler_mappings = 0;
    std::vector<int> sampler_cpus;  ///< of each sampler; empty where not pinned
    double clock_read_ticks = 0;    ///< median of two adjacent readings' difference
    double loop_ticks = 0;          ///< median of one turn of the sampler's loop without an operation
    /// That it has kept. Absent in a run of an earlier nsbench, and where it did not say.
    std::optional<Capabilities> sampler_capabilities{};
};

/// What the rounds have come to. A run that is taken up again goes on from those that it had.
struct Totals {
    std::optional<Unseen> drain_unseen;
    std::uint32_t drains = 0, drains_incomplete = 0;
    std::uint64_t drained_samples = 0;  ///< of the blocks before the drains
    std::uint32_t rounds = 0;           ///< counted, begun
    std::uint32_t headline_rounds = 0;  ///< of them, those of the digest's cases alone
    BlockShapes block_shapes;           ///< of its cases' classes; empty in a run of an earlier nsbench
    std::uint32_t blocks_in_round = 1;  ///< of each case
    double warm_up_seconds = 0;         ///< that its warm-up round took
    double seconds = 0;                 ///< that the measuring took
    int interrupted_by = 0;             ///< a signal's number
    std::vector<RoundMarks> marks;      ///< of the rounds that were marked, in their order
    /// What run.json has had of them, as JSON: it stays where nothing came since. Empty where there is none.
    std::string earlier_runtimes{}, earlier_probe{};
};

struct RunInfo : RunStart, SamplerFacts, Totals {
    std::vector<Runtime> runtimes;               ///< empty where none was asked for
    std::optional<ProbeReport> probe;            ///< absent where it was off, or could not be had
    std::vector<MarkerSource> marker_sources{};  ///< empty where nothing is marked
    /// Of samples.csv behind the header: those that are valid. Absent where nobody counted: in a run of an
    /// earlier nsbench, of several repeats together, and in a guest of the lab.
    std::optional<std::uint64_t> sample_lines{};
    std::vector<std::string> kept_whole{};  ///< cases that would have too few rounds without the disturbed

    [[nodiscard]] RowContext row_context() const {
        // Inside a user namespace of its own a sampler has all capabilities.
        const auto held = in_userns              ? std::optional(~Capabilities{0})
                          : sampler_capabilities ? sampler_capabilities
                                                 : parse_capabilities(env::find(environment, "capabilities"));
        return {options.precision,
                drain_unseen,
                held,
                identity.clock,
                options.disturbed == Disturbed::drop ? disturbed_rounds(marks) : std::set<std::uint32_t>{},
                base_set};
    }
};

}  // namespace nsb::run
