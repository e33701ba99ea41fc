#include "run/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "core/text.h"
#include "report/csv.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::run {
namespace {

namespace fs = std::filesystem;

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

sys::Fd Store::lock(const fs::path& folder) {
    sys::Fd fd(static_cast<int>(
        sys::must(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open", folder.native())));
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
        refuse(folder, "another nsbench is writing to it; name another folder");
    return fd;
}

Store Store::create(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) throw sys::SystemError("mkdir", folder.native(), error.value());
    Store store(folder, lock(folder));
    if (fs::exists(folder / "run.json")) {
        refuse(folder,
               fmt::format("holds a run already; go on with it by --resume={}, or name another folder",
                           folder.native()));
    }
    sys::check_writable(folder / "run.json");
    return store;
}

std::pair<Store, Store::Recorded> Store::reopen(const fs::path& folder) {
    if (!fs::is_directory(folder))
        refuse(folder, "no such folder; --resume takes one that --out has written");
    Store store(folder, lock(folder));
    const auto json = sys::read_file(folder / "run.json");
    if (!json) refuse(folder, "not a run of nsbench: it has no readable run.json");
    auto info = parse_run_json(*json);
    if (!info) refuse(folder, "not a run of this version of nsbench: run.json: " + info.error());
    try {
        sys::check_writable(folder / "run.json");
    } catch (const sys::SystemError& error) {
        refuse(folder, fmt::format("cannot be written: {}", error.what()));
    }
    const auto samples = sys::read_file(folder / "samples.csv");
    std::vector<Series> series;
    if (samples) series = parse_samples(folder, *samples);
    return {std::move(store), Recorded{std::move(*info), std::move(series)}};
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

void Store::save_rows(const RunInfo& info, std::span<const Row> rows) const {
    sys::replace_file(folder_ / "results.csv",
                      report::results_csv(info.identity, std::vector<Row>(rows.begin(), rows.end())));
}

void Store::save(const RunInfo& info, std::span<const Row> rows, std::span<const Series* const> series) {
    // First what says that this is a run: the other two may be a round behind it, which a resumed run makes
    // good.
    sys::replace_file(folder_ / "run.json", run_json(info));
    sys::replace_file(folder_ / "samples.csv", samples_.render(info, series));
    save_rows(info, rows);
    if (info.probe) {
        sys::replace_file(folder_ / "probe.csv", report::probe_csv(info.identity, *info.probe));
        sys::replace_file(folder_ / "memory.csv", report::memory_csv(info.identity, *info.probe));
    }
}

}  // namespace nsb::run
