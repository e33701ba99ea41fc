#include "run/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <functional>

#include "core/text.h"
#include "run/recorded.h"
#include "sys/error.h"
#include "sys/file.h"
#include "sys/place.h"

namespace nsb::run {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& folder, const std::string& why) {
    throw StoreError(fmt::format("{}: {}", folder.native(), why));
}

/// What the files say. Nothing is written before all of it has been read.
Store::Recorded read_recorded(const fs::path& folder, const std::string& json,
                              const std::optional<std::string>& samples,
                              const std::optional<std::string>& rounds) {
    const fs::path json_file = folder / "run.json";
    auto info = parse_run_json(json, json_file.native());
    if (!info) throw StoreError(info.error());
    const auto plan = make_plan(info->options.selection);
    if (!plan) refuse(json_file, "options.selection: " + printable(plan.error()));

    if (rounds) {
        auto marks = parse_rounds(*rounds, (folder / kRoundsCsv).native());
        if (!marks) throw StoreError(marks.error());
        info->marks = std::move(*marks);
    }
    if (!samples && info->rounds == 0) return {std::move(*info), {}};
    if (!samples) {
        refuse(folder, "no samples.csv; one that was compressed is unpacked by xz -dk samples.csv.xz");
    }
    auto series = parse_samples(*samples, (folder / "samples.csv").native(), *info, *plan);
    if (!series) throw StoreError(series.error());
    return {std::move(*info), std::move(*series)};
}

}  // namespace

void Store::lock() const {
    if (flock(folder_.get(), LOCK_EX | LOCK_NB) != 0)
        refuse(path_, "another nsbench is writing to it; name another folder");
}

void Store::check_writable() const {
    for (const Output& output : outputs()) {
        if (!output.file.empty()) sys::check_writable(output.file, folder_.get());
    }
}

Store Store::create(const fs::path& folder) {
    Store store(folder, sys::open_own_folder(folder, sys::Missing::is_made));
    store.lock();
    if (faccessat(store.folder_.get(), "run.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        refuse(folder,
               fmt::format("holds a run already; go on with it by --resume={}, or name another folder",
                           folder.native()));
    }
    store.check_writable();
    return store;
}

std::pair<Store, Store::Recorded> Store::reopen(const fs::path& folder) {
    const auto open_folder = [&] {
        try {
            return sys::open_own_folder(folder, sys::Missing::is_an_error);
        } catch (const sys::SystemError& error) {
            if (error.error() == ENOENT || error.error() == ENOTDIR)
                refuse(folder, "no such folder; --resume takes one that --out has written");
            if (is_of_a_limit(error)) throw;
            throw StoreError(error.what());
        }
    };
    Store store(folder, open_folder());
    store.lock();
    const auto json = store.read("run.json");
    if (!json) refuse(folder, "not a run of nsbench: it has no readable run.json");
    Recorded recorded = read_recorded(folder, *json, store.read("samples.csv"), store.read("rounds.csv"));
    try {
        store.check_writable();
    } catch (const sys::SystemError& error) {
        if (is_of_a_limit(error)) throw;
        refuse(folder, fmt::format("cannot be written: {}", error.what()));
    }
    sys::remove_leftovers(store.folder_);
    return {std::move(store), std::move(recorded)};
}

std::optional<std::string> Store::read(const char* name) const {
    try {
        return sys::read_own_file(name, folder_.get());
    } catch (const sys::SystemError& error) {
        if (error.error() == ENOENT) return std::nullopt;
        if (is_of_a_limit(error)) throw sys::SystemError(path_.native(), error);
        refuse(path_, error.what());
    }
}

void Store::replace(std::string_view name, std::string_view text) const {
    try {
        sys::replace_file(name, text, folder_.get());
    } catch (const sys::SystemError& error) {
        throw sys::SystemError(path_.native(), error);
    }
}

void Store::save_rows(const RunInfo& info, std::span<const Row> rows) const {
    for (const Output& output : outputs()) {
        if (output.file == kResultsCsv) replace(output.file, output.text({info, rows, {}}));
    }
}

void Store::save(const RunInfo& info, std::span<const Row> rows, std::span<const Series* const> series) {
    std::vector<std::function<void()>> all;
    for (const Output& output : outputs()) {
        if (output.file.empty() || !output.can_be_made_of(info)) continue;
        all.emplace_back([&] { replace(output.file, output.text({info, rows, series, &samples_})); });
    }
    sys::attempt_all(all);
}

}  // namespace nsb::run
