#include "run/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>

#include "core/text.h"
#include "report/csv.h"
#include "run/recorded.h"
#include "sys/error.h"
#include "sys/file.h"

namespace nsb::run {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& folder, const std::string& why) {
    throw StoreError(fmt::format("{}: {}", folder.native(), why));
}

/// What the files say. Nothing is written before all of it has been read.
Store::Recorded read_recorded(const fs::path& folder, const std::string& json) {
    const fs::path json_file = folder / "run.json";
    auto info = parse_run_json(json, json_file.native());
    if (!info) throw StoreError(info.error());
    const auto plan = make_plan(info->options.selection);
    if (!plan) refuse(json_file, "options.selection: " + printable(plan.error()));

    const fs::path samples_file = folder / "samples.csv";
    const auto samples = sys::read_file(samples_file);
    if (!samples && samples.error() == ENOENT && info->rounds == 0) return {std::move(*info), {}};
    if (!samples && samples.error() == ENOENT) {
        refuse(folder, "no samples.csv; one that was compressed is unpacked by xz -dk samples.csv.xz");
    }
    if (!samples) refuse(samples_file, fmt::format("cannot be read: {}", errno_name(samples.error())));
    auto series = parse_samples(*samples, samples_file.native(), *info, *plan);
    if (!series) throw StoreError(series.error());
    return {std::move(*info), std::move(*series)};
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
    Recorded recorded = read_recorded(folder, *json);
    try {
        sys::check_writable(folder / "run.json");
    } catch (const sys::SystemError& error) {
        refuse(folder, fmt::format("cannot be written: {}", error.what()));
    }
    return {std::move(store), std::move(recorded)};
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
