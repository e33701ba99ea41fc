// The steps of the command `run` that a single run and each repeat take.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "run/measurement.h"
#include "run/progress.h"
#include "run/store.h"

namespace nsb::cli {

/// What a run begins with: a new one, or a recorded one that is taken up again.
struct Beginning {
    run::RunStart start;
    std::optional<run::Store> store;
    run::Before before;
    std::optional<bool> in_userns;               ///< whether the recorded one was measured so
    std::optional<Capabilities> capabilities{};  ///< of the recorded one's samplers, where that is known
};

/// The command `run` of a plan that is measured several times. Returns its exit code.
int run_repeats(const Options& options, Beginning whole, const std::vector<Case>& plan);

/// All samples of a run are of one user; `in_userns`: how those of before are, if there are any. Throws
/// UsageError.
void check_user(const Options& options, std::optional<bool> in_userns, const run::Instruments& instruments);

/// What the samplers of a recorded run had. One of an earlier nsbench, which does not say so, had all that
/// nsbench had.
std::optional<Capabilities> capabilities_of(const run::RunInfo& recorded);

/// Warns of samplers that have others than those of the recorded run had.
void compare_capabilities(std::optional<Capabilities> earlier, const run::Instruments& instruments,
                          run::RunStart& start);

/// What of the machine is another than when earlier samples were taken, each as a warning.
std::vector<std::string> changes_of(const std::vector<env::Fact>& earlier, const std::vector<env::Fact>& now);

/// What is to be known before the first round.
void introduce(const Options& options, const run::RunInfo& info);

/// Whether it is said on a terminal how far the run is.
bool shows_progress(const Options& options);

/// What is saved after rounds.
struct Saving {
    std::function<void()> samples;  ///< and what is small: as much as came since the last time
    std::function<void()> all;      ///< the rows as well: as much as there is
};

/// Carries out the rounds and saves what there is after each. Neither is done so often that it takes a tenth
/// of the time.
void take_rounds(const Options& options, run::Measurement& measurement, run::ProgressLine& line,
                 const Saving& saving, std::optional<run::RepeatPlace> repeat = std::nullopt);

}  // namespace nsb::cli
