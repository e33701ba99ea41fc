// A run's folder: what --out writes after each round, and what --resume goes on from. The table of outputs
// says which files are in it.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/series.h"
#include "run/outputs.h"
#include "run/run_info.h"
#include "run/samples_csv.h"
#include "sys/fd.h"
#include "sys/place.h"

namespace nsb::run {

/// The folder cannot be used as asked. what() says why, and what to do instead.
class StoreError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Takes a folder of results for this process alone, for as long as that is open. Throws StoreError where
/// another nsbench has it, and SystemError.
void lock_folder(const sys::Fd& folder, const std::filesystem::path& path);

/// Every file in the folder is whole at any moment. samples.csv grows, and is whole as far as run.json says,
/// which is written right behind it: where a process is killed between the two, or within a line, the lines
/// behind that are no part of it, and the next process removes them. Another nsbench cannot write to the
/// folder at the same time.
class Store {
  public:
    /// A new run's folder, made if need be. Throws StoreError where it holds a run already or is in use,
    /// SystemError where it cannot be written to, or belongs to somebody else.
    static Store create(const std::filesystem::path& folder);
    /// One for repeats, in each of whose own folders create_repeat() makes a run. Throws as create(), and
    /// StoreError where one of those folders holds a run.
    static Store create(const std::filesystem::path& folder, const Repeat& repeat);

    struct Recorded {
        RunInfo info;
        std::vector<Series> series;
    };
    /// Takes a recorded run's folder up again; of one of repeats there are no series. Throws StoreError where
    /// it is not one, is damaged, is in use, cannot be written to, or belongs to somebody else; SystemError
    /// where a limit is in the way.
    static std::pair<Store, Recorded> reopen(const std::filesystem::path& folder);

    /// The folder of a repeat in this one, as create() and reopen(). Nothing where there is no run in it yet;
    /// throws StoreError also where that is no repeat of this run, `whole`.
    [[nodiscard]] Store create_repeat(std::uint32_t number) const;
    [[nodiscard]] std::optional<std::pair<Store, Recorded>> reopen_repeat(const RunStart& whole,
                                                                          std::uint32_t number) const;

    /// Writes results.csv alone. Throws sys::SystemError.
    void save_rows(const RunInfo& info, std::span<const Row> rows) const;

    /// Writes what came since the last call to samples.csv, and all other files that can be made; what cannot
    /// be written keeps no other from being written. Throws what the first failure threw.
    void save(RunInfo info, std::span<const Row> rows, std::span<const Series* const> series);
    /// The same without rows, whose making takes as long as there are samples: results.csv stays as it is.
    void save_samples(RunInfo info, std::span<const Series* const> series);
    /// Of several repeats together, which have no samples of their own.
    void save(const RunData& run) const;

  private:
    Store(std::filesystem::path path, sys::Fd folder) : path_(std::move(path)), folder_(std::move(folder)) {}
    static Store create(Store store);
    static std::pair<Store, Recorded> reopen(Store store);
    [[nodiscard]] Store open_repeat(std::uint32_t number, sys::Missing missing) const;
    [[nodiscard]] bool holds(const std::string& name) const;
    /// Throws SystemError where one of the files cannot be written.
    void check_writable() const;
    /// Nothing where there is no such file.
    [[nodiscard]] std::optional<std::string> read(const char* name) const;
    /// Of all files what they say. Nothing is written before all of it has been read.
    [[nodiscard]] Recorded read_recorded();
    void save(RunInfo info, std::span<const Row> rows, std::span<const Series* const> series, bool has_rows);
    void save_samples_csv(const RunInfo& info, std::span<const Series* const> series);
    /// Writes run.json, with so many lines of samples.csv as valid; absent: all of them.
    void tell(RunInfo& info, std::optional<std::uint64_t> lines);
    /// Adds the writing of each file that is meant, but for samples.csv and run.json.
    void add(std::vector<std::function<void()>>& all, const RunData& run,
             const std::function<bool(const Output&)>& is_meant) const;
    void replace(std::string_view name, std::string_view text) const;

    std::filesystem::path path_;  // for messages: what is done is done in the folder that was opened
    sys::Fd folder_;              // with flock(2): it goes with the process, however that ends
    SamplesCsv samples_;
    std::optional<Totals> told_;  // in run.json, as it is there
    bool is_told_ = false;        // whether that says how many lines of samples.csv are valid
};

/// run.json's text (parse_run_json reads it).
std::string run_json(const RunInfo& info);
inline constexpr int kSchemaVersion = 1;

/// Which entries a row has: `aggregates` is for readers that take every entry for a benchmark of its own.
enum class JsonEntries : std::uint8_t { all, aggregates };

/// Google Benchmark's JSON schema: each round of a case's phase as a repetition, and the median over all.
/// Of repeats, each of them is one.
std::string benchmark_json(const RunData& data, JsonEntries entries);

}  // namespace nsb::run
