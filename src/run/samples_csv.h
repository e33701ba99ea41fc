// samples.csv of a run's folder, which grows round by round.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "core/series.h"
#include "report/columns.h"
#include "run/recorded.h"
#include "sys/growing_file.h"

namespace nsb::run {

inline constexpr const char* kSamplesCsv = "samples.csv";

/// Samples are appended as they come, round by round, and in a round case by case. run.json says how many
/// lines are valid (lines()), and is written behind them: what a killed process has left behind these lines
/// is no part of the file.
class SamplesCsv {
  public:
    /// Not written yet.
    SamplesCsv() : file_(kSamplesCsv) {}
    /// As it was read from `file`.
    SamplesCsv(const sys::Fd& file, const RecordedSamples& read);

    /// Writes what came since the last call. Where the file cannot be gone on with, since it is new, was
    /// changed or has what `series` have not, it is replaced: how many lines of an earlier one are valid says
    /// nothing of this one, unless it begins with them; so `forget` is called before, for run.json to say
    /// that all are. Throws sys::SystemError, and what `forget` throws; lines() is then as it was.
    void save(int folder, const report::RunIdentity& run, std::span<const Series* const> series,
              const std::function<void()>& forget);

    /// Behind the header, valid; absent where there is no file of ours yet.
    [[nodiscard]] std::optional<std::uint64_t> lines() const { return lines_; }

  private:
    /// What of a case is in the file.
    struct Written {
        std::size_t samples = 0;
        std::optional<protocol::Failure> failure;
    };
    using AllWritten = std::map<Case, Written>;

    [[nodiscard]] bool is_beginning_of(std::span<const Series* const> series) const;

    sys::GrowingFile file_;
    AllWritten written_;
    std::optional<std::uint64_t> lines_;
};

/// The file whole, made anew: as save() writes it the first time.
std::string samples_csv(const report::RunIdentity& run, std::span<const Series* const> series);

}  // namespace nsb::run
