// A run's folder: what --out writes after each round, and what --resume goes on from.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/series.h"
#include "run/run_info.h"
#include "sys/fd.h"

namespace nsb::run {

/// The folder cannot be used as asked. what() says why, and what to do instead.
class StoreError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// samples.csv, kept up round by round: what was rendered once does not change.
class SamplesCsv {
  public:
    /// The file, whole. `series` are the same ones at each call, and only grow.
    std::string render(const RunInfo& info, std::span<const Series* const> series);

  private:
    std::vector<std::string> lines_;  // of each series
    std::vector<std::size_t> count_;
};

/// Every file in the folder is whole at any moment; another nsbench cannot write to the folder at the same
/// time.
class Store {
  public:
    /// A new run's folder, made if need be. Throws StoreError where it holds a run already or is in use,
    /// SystemError where it cannot be written to, or belongs to somebody else.
    static Store create(const std::filesystem::path& folder);

    struct Recorded {
        RunInfo info;
        std::vector<Series> series;
    };
    /// Takes a recorded run's folder up again. Throws StoreError where it is not one, is damaged, is in use,
    /// cannot be written to, or belongs to somebody else; SystemError where a limit is in the way.
    static std::pair<Store, Recorded> reopen(const std::filesystem::path& folder);

    /// Writes results.csv alone. Throws sys::SystemError.
    void save_rows(const RunInfo& info, std::span<const Row> rows) const;

    /// Writes run.json, results.csv and samples.csv; what cannot be written keeps no other from being
    /// written. Throws what the first failure threw.
    void save(const RunInfo& info, std::span<const Row> rows, std::span<const Series* const> series);

  private:
    Store(std::filesystem::path path, sys::Fd folder) : path_(std::move(path)), folder_(std::move(folder)) {}
    void lock() const;
    /// Nothing where there is no such file.
    [[nodiscard]] std::optional<std::string> read(const char* name) const;
    void replace(const char* name, std::string_view text) const;

    std::filesystem::path path_;  // for messages: what is done is done in the folder that was opened
    sys::Fd folder_;              // with flock(2): it goes with the process, however that ends
    SamplesCsv samples_;
};

/// run.json's text (parse_run_json reads it).
std::string run_json(const RunInfo& info);
inline constexpr int kSchemaVersion = 1;

/// Google Benchmark's JSON schema: each round of a case's phase as a repetition, and the median over all.
std::string benchmark_json(const RunInfo& info, std::span<const Row> rows,
                           std::span<const Series* const> series);

/// Has Google Benchmark look at the CPUs, which it does once, and ends the program where it may open no file
/// for that: so before a run takes any. Throws SystemError.
void look_at_cpus();

}  // namespace nsb::run
