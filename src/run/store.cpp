#include "run/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "core/text.h"
#include "report/csv.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/place.h"

namespace nsb::run {
namespace {

namespace fs = std::filesystem;

constexpr std::array kFiles{"run.json", "results.csv", "samples.csv", "probe.csv", "memory.csv"};

[[noreturn]] void refuse(const fs::path& folder, const std::string& why) {
    throw StoreError(fmt::format("{}: {}", folder.native(), why));
}

/// A line of samples.csv by its columns' names.
class Fields {
  public:
    explicit Fields(const std::string& header) {
        const std::vector<std::string> names = report::split_csv(header);
        for (std::size_t i = 0; i < names.size(); ++i) at_[names[i]] = i;
        for (const auto& column : report::sample_columns()) {
            if (!at_.contains(std::string(column.name))) missing_ = column.name;
        }
    }
    [[nodiscard]] std::string_view missing() const { return missing_; }
    bool read(const std::string& line) {
        values_ = report::split_csv(line);
        return values_.size() == at_.size();
    }
    [[nodiscard]] const std::string& get(std::string_view name) const {
        return values_[at_.find(name)->second];
    }
    [[nodiscard]] double number(std::string_view name) const {
        const std::string& text = get(name);
        double value = 0;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    }

  private:
    std::map<std::string, std::size_t, std::less<>> at_;
    std::vector<std::string> values_;
    std::string_view missing_;
};

std::optional<protocol::Failure> parse_failure(const std::string& errno_text, const std::string& call_text) {
    if (errno_text.empty()) return std::nullopt;
    protocol::Failure failure{protocol::Call::sampler, EIO};
    for (int error = 1; error < 200; ++error) {
        if (errno_name(error) == errno_text) failure.error = error;
    }
    for (std::size_t i = 0; i < protocol::kCallNames.size(); ++i) {
        if (call_text == protocol::kCallNames[i]) failure.call = static_cast<protocol::Call>(i);
    }
    return failure;
}

std::vector<Series> parse_samples(const fs::path& folder, const std::string& text) {
    std::vector<Series> series;
    std::map<std::string, std::size_t> at;
    std::optional<Fields> fields;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string line = text.substr(begin, end - begin);
        begin = end + 1;
        if (!fields) {
            fields.emplace(line);
            if (!fields->missing().empty()) {
                refuse(folder, fmt::format("samples.csv has no column '{}'", fields->missing()));
            }
            continue;
        }
        if (!fields->read(line))
            refuse(folder, fmt::format("samples.csv: a line with missing fields: '{}'", line));
        const std::string& id = fields->get("case");
        const auto [known, is_new] = at.try_emplace(id, series.size());
        if (is_new) {
            const auto c = parse_case(id);
            if (!c) refuse(folder, fmt::format("samples.csv: case '{}': {}", id, c.error()));
            series.push_back({*c, {}, {}});
        }
        Series& own = series[known->second];
        if (auto failure = parse_failure(fields->get("errno"), fields->get("call"))) {
            own.failure = failure;
            continue;
        }
        Sample sample;
        sample.round = static_cast<std::uint32_t>(fields->number("round"));
        sample.block = static_cast<std::uint32_t>(fields->number("block"));
        sample.counted = fields->get("counted") == "1";
        sample.machine = static_cast<std::uint32_t>(fields->number("machine"));
        for (std::size_t i = 0; i < kPhases; ++i) sample.times[i] = fields->number(kPhaseTable[i].name);
        own.samples.push_back(sample);
    }
    return series;
}

}  // namespace

void Store::lock() const {
    if (flock(folder_.get(), LOCK_EX | LOCK_NB) != 0)
        refuse(path_, "another nsbench is writing to it; name another folder");
}

Store Store::create(const fs::path& folder) {
    Store store(folder, sys::open_own_folder(folder, sys::Missing::is_made));
    store.lock();
    if (faccessat(store.folder_.get(), "run.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        refuse(folder,
               fmt::format("holds a run already; go on with it by --resume={}, or name another folder",
                           folder.native()));
    }
    for (const char* const name : kFiles) sys::check_writable(name, store.folder_.get());
    return store;
}

std::pair<Store, Store::Recorded> Store::reopen(const fs::path& folder) {
    const auto open_folder = [&] {
        try {
            return sys::open_own_folder(folder, sys::Missing::is_an_error);
        } catch (const sys::SystemError& error) {
            if (error.error() == ENOENT || error.error() == ENOTDIR)
                refuse(folder, "no such folder; --resume takes one that --out has written");
            throw StoreError(error.what());
        }
    };
    Store store(folder, open_folder());
    store.lock();
    const auto json = store.read("run.json");
    if (!json) refuse(folder, "not a run of nsbench: it has no readable run.json");
    auto info = parse_run_json(*json);
    if (!info) refuse(folder, "not a run of this version of nsbench: run.json: " + info.error());
    try {
        for (const char* const name : kFiles) sys::check_writable(name, store.folder_.get());
    } catch (const sys::SystemError& error) {
        refuse(folder, fmt::format("cannot be written: {}", error.what()));
    }
    sys::remove_leftovers(store.folder_);
    const auto samples = store.read("samples.csv");
    std::vector<Series> series;
    if (samples) series = parse_samples(folder, *samples);
    return {std::move(store), Recorded{std::move(*info), std::move(series)}};
}

std::optional<std::string> Store::read(const char* name) const {
    try {
        return sys::read_own_file(name, folder_.get());
    } catch (const sys::SystemError& error) {
        if (error.error() == ENOENT) return std::nullopt;
        refuse(path_, error.what());
    }
}

std::string SamplesCsv::render(const RunInfo& info, std::span<const Series* const> series) {
    lines_.resize(series.size());
    count_.resize(series.size());
    std::string samples = report::csv_header(report::sample_columns());
    for (std::size_t i = 0; i < series.size(); ++i) {
        for (std::size_t& n = count_[i]; n < series[i]->samples.size(); ++n) {
            report::append_csv(lines_[i], report::sample_columns(),
                               report::SampleRecord{info.identity, *series[i], &series[i]->samples[n], n});
        }
        samples += lines_[i];
        if (series[i]->failure) {
            report::append_csv(
                samples, report::sample_columns(),
                report::SampleRecord{info.identity, *series[i], nullptr, series[i]->samples.size()});
        }
    }
    return samples;
}

void Store::replace(const char* name, std::string_view text) const {
    try {
        sys::replace_file(name, text, folder_.get());
    } catch (const sys::SystemError& error) {
        throw sys::SystemError(fmt::format("{}: {}", path_.native(), error.what()), error.error());
    }
}

void Store::save_rows(const RunInfo& info, std::span<const Row> rows) const {
    replace("results.csv", report::results_csv(info.identity, std::vector<Row>(rows.begin(), rows.end())));
}

void Store::save(const RunInfo& info, std::span<const Row> rows, std::span<const Series* const> series) {
    // First what says that this is a run: the other two may be a round behind it, which a resumed run makes
    // good.
    sys::attempt_all({
        [&] { replace("run.json", run_json(info)); },
        [&] { replace("samples.csv", samples_.render(info, series)); },
        [&] { save_rows(info, rows); },
        [&] {
            if (info.probe) replace("probe.csv", report::probe_csv(info.identity, *info.probe));
        },
        [&] {
            if (info.probe) replace("memory.csv", report::memory_csv(info.identity, *info.probe));
        },
    });
}

}  // namespace nsb::run
