#include "run/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <functional>

#include "core/text.h"
#include "run/recorded.h"
#include "run/repeats.h"
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
    if (info->is_of_repeats() || (!samples && info->rounds == 0)) return {std::move(*info), {}};
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

bool Store::holds(const std::string& name) const {
    return faccessat(folder_.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Store Store::create(Store store) {
    store.lock();
    if (store.holds("run.json")) {
        refuse(store.path_,
               fmt::format("holds a run already; go on with it by --resume={}, or name another folder",
                           store.path_.native()));
    }
    store.check_writable();
    return store;
}

Store Store::create(const fs::path& folder) {
    return create(Store(folder, sys::open_own_folder(folder, sys::Missing::is_made)));
}

Store Store::create(const fs::path& folder, const Repeat& repeat) {
    Store store = create(folder);
    for (std::uint32_t number = 1; number <= repeat.count; ++number) {
        if (store.holds(name_of_repeat(number) + "/run.json"))
            refuse(folder / name_of_repeat(number), "holds a run already; name another folder");
    }
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
    return reopen(Store(folder, open_folder()));
}

std::pair<Store, Store::Recorded> Store::reopen(Store store) {
    const fs::path& folder = store.path_;
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

Store Store::open_repeat(std::uint32_t number, sys::Missing missing) const {
    const std::string name = name_of_repeat(number);
    try {
        return {path_ / name, sys::open_own_folder(name, missing, folder_.get())};
    } catch (const sys::SystemError& error) {
        throw sys::SystemError(path_.native(), error);
    }
}

Store Store::create_repeat(std::uint32_t number) const {
    Store repeat = create(open_repeat(number, sys::Missing::is_made));
    sys::remove_leftovers(repeat.folder_);  // of one that was killed before it had a run.json
    return repeat;
}

std::optional<std::pair<Store, Store::Recorded>> Store::reopen_repeat(const RunStart& whole,
                                                                      std::uint32_t number) const {
    const std::string name = name_of_repeat(number);
    if (!holds(name + "/run.json")) return std::nullopt;
    try {
        auto repeat = reopen(open_repeat(number, sys::Missing::is_an_error));
        const RunStart& start = repeat.second.info;
        if (start.identity.run_id != id_of_repeat(whole, number) || !start.repeat ||
            start.repeat->number != number)
            refuse(path_ / name, fmt::format("is not repeat {} of the run in {}", number, path_.native()));
        return repeat;
    } catch (const sys::SystemError& error) {
        if (is_of_a_limit(error)) throw;
        throw StoreError(error.what());
    }
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
    save({info, rows, series, &samples_});
}

void Store::save(const RunData& run) const {
    std::vector<std::function<void()>> all;
    for (const Output& output : outputs()) {
        if (output.file.empty() || !output.can_be_made_of(run.info)) continue;
        all.emplace_back([&] { replace(output.file, output.text(run)); });
    }
    sys::attempt_all(all);
}

}  // namespace nsb::run
