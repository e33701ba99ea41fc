// What a run is written as: one table of outputs. The options that name their files, the help, the checks
// before a run, a run's folder and the writing at its end are made from it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "core/series.h"
#include "report/dictionary.h"
#include "run/run_info.h"

namespace nsb::run {

/// What an output is made of: a run, as far as it has come.
struct RunData {
    const RunInfo& info;
    std::span<const Row> rows;
    std::span<const Series* const> series;
    std::span<const std::vector<Row>> repeats{};  ///< their rows; then there are no series
};

/// What of an output comes from the probe; each takes what stands before it, too.
enum class OfProbe : std::uint8_t { nothing, figures, stacks };
std::string_view to_string(OfProbe of_probe);

struct Output {
    std::string_view option{};   ///< names a file that it goes to; empty: there is none
    std::string_view file{};     ///< its name in a run's folder; empty: it is not there
    bool may_be_stdout = false;  ///< the option takes `-`, too
    OfProbe of_probe = OfProbe::nothing;
    bool of_each_repeat = false;  ///< of each alone, and not of all of them together
    bool of_rounds = false;       ///< made of what was marked in rounds, which may be nothing
    std::string_view meaning{};   ///< as the help says it
    std::string (*text)(const RunData& run) = nullptr;

    /// Whether the run has what it is made of: the probe may be off, or not to be had.
    [[nodiscard]] bool can_be_made_of(const RunInfo& info) const {
        if (of_each_repeat && info.is_of_repeats()) return false;
        if (of_rounds) return !info.marks.empty() || !info.marker_sources.empty();
        return of_probe == OfProbe::nothing || info.probe.has_value();
    }
};

/// The table, and its names for the dictionary.
std::span<const Output> outputs();
std::vector<report::OutputNames> output_names();

/// The summary, which can be made of a run's samples at any time.
inline constexpr std::string_view kResultsCsv = "results.csv";
/// What there is of an earlier nsbench may lack this one.
inline constexpr std::string_view kRoundsCsv = "rounds.csv";

/// What --out writes, in words.
std::string files_of_a_folder(std::span<const Output> table = outputs());

/// An output that was asked for. `path` is where to: `-` is standard output.
struct Destination {
    const Output* output;
    std::string path;
};
using Destinations = std::vector<Destination>;

/// The path of an output as typed: each name of standard output becomes `-`.
std::string output_path(std::string typed);

/// The error says what the output takes instead.
tl::expected<Destination, std::string> destination(const Output& output, std::string typed);

bool take_standard_output(const Destinations& destinations);

/// Refused where several go to standard output; the error names the options of the table that could.
tl::expected<void, std::string> check_standard_output(const Destinations& destinations,
                                                      std::span<const Output> table = outputs());

/// The first one of which at least that comes from the probe; null where there is none.
const Output* find(const Destinations& destinations, OfProbe at_least);

/// What cannot be written is said before an hour is spent on measuring it: the error has the option.
/// Throws sys::SystemError where a limit of this place is in the way.
tl::expected<void, std::string> check_writable(const Destinations& destinations);

/// Writes all that can be made. What cannot be written keeps no other from being written; then throws what
/// the first failure threw, a sys::SystemError.
void write(const Destinations& destinations, const RunData& run);

}  // namespace nsb::run
