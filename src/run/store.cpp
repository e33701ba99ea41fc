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

constexpr const char* kRunJson = "run.json";

[[noreturn]] void refuse(const fs::path& folder, const std::string& why) {
    throw StoreError(fmt::format("{}: {}", folder.native(), why));
}

/// What `read` gives; nothing where there is no such file in the folder.
template <typename Read>
auto read_if_there(const fs::path& folder, Read read) -> std::optional<decltype(read())> {
    try {
        return read();
    } catch (const sys::SystemError& error) {
        if (error.error() == ENOENT) return std::nullopt;
        if (is_of_a_limit(error)) throw sys::SystemError(folder.native(), error);
        refuse(folder, error.what());
    }
}

/// Does what a message names the folder of.
template <typename Do>
void in_folder(const fs::path& folder, Do action) {
    try {
        action();
    } catch (const sys::SystemError& error) {
        throw sys::SystemError(folder.native(), error);
    }
}

/// A file in pieces, of which one is held.
NextPiece pieces_of(const sys::Fd& file, std::string_view name) {
    constexpr std::size_t kReadBytes = 1U << 18U;
    return [&file, name, piece = std::string(kReadBytes, '\0')]() mutable {
        const auto size = sys::must(
            sys::retried([&] { return ::read(file.get(), piece.data(), piece.size()); }), "read", name);
        return std::string_view(piece).substr(0, static_cast<std::size_t>(size));
    };
}

/// rounds.csv is written before run.json: where a run was killed between the two, it has a round that
/// run.json and samples.csv have not, and that is measured again.
void leave_out_unknown_rounds(RunInfo& info, std::span<const Series> series) {
    std::uint32_t last = info.rounds;
    for (const Series& one : series) {
        for (const Stretch& of : one.samples.stretches()) last = std::max(last, of.round);
    }
    std::erase_if(info.marks, [&](const RoundMarks& one) { return one.round > last; });
}

/// The same run before its first round.
Totals without_rounds(const Totals& totals) {
    Totals none;
    none.drain_unseen = totals.drain_unseen;
    none.block_shapes = totals.block_shapes;
    none.blocks_in_round = totals.blocks_in_round;
    none.earlier_runtimes = totals.earlier_runtimes;
    none.earlier_probe = totals.earlier_probe;
    return none;
}

}  // namespace

void lock_folder(const sys::Fd& folder, const fs::path& path) {
    const bool is_ours = sys::retried([&] { return flock(folder.get(), LOCK_EX | LOCK_NB); }) == 0;
    if (!is_ours && errno == EWOULDBLOCK)
        refuse(path, "another nsbench is writing to it; name another folder");
    sys::must(is_ours ? 0 : -1, "flock", path.native());
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
    lock_folder(store.folder_, store.path_);
    if (store.holds(kRunJson)) {
        refuse(store.path_,
               fmt::format("holds a run already; go on with it by --resume={}, or name another folder",
                           store.path_.native()));
    }
    store.check_writable();
    sys::remove_leftovers(store.folder_);
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
    lock_folder(store.folder_, store.path_);
    Recorded recorded = store.read_recorded();
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
    return create(open_repeat(number, sys::Missing::is_made));
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
    return read_if_there(path_, [&] { return sys::read_own_file(name, folder_.get()); });
}

Store::Recorded Store::read_recorded() {
    const auto json = read(kRunJson);
    if (!json) refuse(path_, "not a run of nsbench: it has no readable run.json");
    const fs::path json_file = path_ / kRunJson;
    auto info = parse_run_json(*json, json_file.native());
    if (!info) throw StoreError(info.error());
    const auto plan = make_plan(info->options.selection);
    if (!plan) refuse(json_file, "options.selection: " + printable(plan.error()));

    if (const auto rounds = read("rounds.csv")) {
        auto marks = parse_rounds(*rounds, (path_ / kRoundsCsv).native());
        if (!marks) throw StoreError(marks.error());
        info->marks = std::move(*marks);
    }
    if (info->is_of_repeats()) return {std::move(*info), {}};
    const auto file = read_if_there(path_, [&] { return sys::open_own_file(kSamplesCsv, folder_.get()); });
    if (!file && info->rounds == 0 && info->sample_lines.value_or(0) == 0) {
        leave_out_unknown_rounds(*info, {});
        return {std::move(*info), {}};
    }
    if (!file) refuse(path_, "no samples.csv; one that was compressed is unpacked by xz -dk samples.csv.xz");
    auto samples = *read_if_there(path_, [&] {
        return parse_samples(pieces_of(*file, kSamplesCsv), (path_ / kSamplesCsv).native(), *info, *plan);
    });
    if (!samples) throw StoreError(samples.error());
    samples_ = {*file, *samples};
    told_ = *info;
    is_told_ = info->sample_lines.has_value();
    leave_out_unknown_rounds(*info, samples->series);
    return {std::move(*info), std::move(samples->series)};
}

void Store::replace(std::string_view name, std::string_view text) const {
    in_folder(path_, [&] { sys::replace_file(name, text, folder_.get()); });
}

void Store::save_rows(const RunInfo& info, std::span<const Row> rows) const {
    for (const Output& output : outputs()) {
        if (output.file == kResultsCsv) replace(output.file, output.text({info, rows, {}}));
    }
}

void Store::save(RunInfo info, std::span<const Row> rows, std::span<const Series* const> series) {
    save(std::move(info), rows, series, true);
}

void Store::save_samples(RunInfo info, std::span<const Series* const> series) {
    save(std::move(info), {}, series, false);
}

void Store::save(RunInfo info, std::span<const Row> rows, std::span<const Series* const> series,
                 bool has_rows) {
    std::vector<std::function<void()>> all;
    bool is_saved = false;
    all.emplace_back([&] {
        in_folder(path_, [&] { save_samples_csv(info, series); });
        is_saved = true;
    });
    // rounds.csv comes before what says how many of its rounds there are: what disturbed one is not measured
    // again.
    const RunData run{info, rows, series};
    add(all, run, [](const Output& output) { return output.of_rounds; });
    // Where samples.csv stays as it was, so does what run.json tells of it: a round that it has not has no
    // totals.
    all.emplace_back([&] {
        if (is_saved) in_folder(path_, [&] { tell(info, samples_.lines()); });
    });
    add(all, run,
        [&](const Output& output) { return !output.of_rounds && (has_rows || output.file != kResultsCsv); });
    sys::attempt_all(all);
}

void Store::save_samples_csv(const RunInfo& info, std::span<const Series* const> series) {
    const auto tell_of_before = [&](std::optional<std::uint64_t> lines) {
        RunInfo before = info;
        static_cast<Totals&>(before) = told_ ? *told_ : without_rounds(info);
        if (before.repeat) before.repeat->complete = false;
        tell(before, lines);
    };
    // Where it is killed while it appends, run.json has to say how far the file is valid.
    if (samples_.lines() && !is_told_) tell_of_before(samples_.lines());
    samples_.save(folder_.get(), info.identity, series, [&] {
        try {
            tell_of_before(std::nullopt);
        } catch (const sys::SystemError&) {
            if (is_told_) throw;  // else it says nothing of lines, and is written again behind them
        }
    });
}

void Store::tell(RunInfo& info, std::optional<std::uint64_t> lines) {
    info.sample_lines = lines;
    sys::replace_file(kRunJson, run_json(info), folder_.get());
    is_told_ = lines.has_value();
    told_ = info;
}

void Store::add(std::vector<std::function<void()>>& all, const RunData& run,
                const std::function<bool(const Output&)>& is_meant) const {
    for (const Output& output : outputs()) {
        if (output.file.empty() || output.file == kRunJson || output.file == kSamplesCsv) continue;
        if (!output.can_be_made_of(run.info) || !is_meant(output)) continue;
        all.emplace_back([this, &output, run] { replace(output.file, output.text(run)); });
    }
}

void Store::save(const RunData& run) const {
    std::vector<std::function<void()>> all{[&] { replace(kRunJson, run_json(run.info)); }};
    add(all, run, [](const Output&) { return true; });
    sys::attempt_all(all);
}

}  // namespace nsb::run
