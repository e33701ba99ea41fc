// A recorded run's files, read again. They may have been cut off, edited or mixed up: each value is checked
// for its form and its range, and an error names the file and the place.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "core/disturbance.h"
#include "core/series.h"
#include "run/lines.h"
#include "run/run_info.h"

namespace nsb::run {

/// The inverse of run_json(). `name` is the file's; the error begins with it and the member.
tl::expected<RunInfo, std::string> parse_run_json(const std::string& text, std::string_view name);

/// What samples.csv says.
struct RecordedSamples {
    std::vector<Series> series;
    std::uint64_t lines = 0;  ///< behind the header
    std::uint64_t bytes = 0;  ///< that these lines and the header take
    bool is_ours = false;     ///< has the columns that this nsbench writes, in their order
};

/// The inverse of samples_csv(), as far as run.json says that the file is valid. `info` is what this says,
/// and `plan` the plan that it makes; the error begins with the file's name and the line.
tl::expected<RecordedSamples, std::string> parse_samples(NextPiece text, std::string_view name,
                                                         const RunInfo& info, const std::vector<Case>& plan);

/// What rounds.csv says, in the order of rounds; the error begins with the file's name and the line.
tl::expected<std::vector<RoundMarks>, std::string> parse_rounds(const std::string& text,
                                                                std::string_view name);

}  // namespace nsb::run
