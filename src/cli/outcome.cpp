#include "cli/outcome.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "cli/commands.h"
#include "cli/options.h"
#include "core/failure.h"
#include "core/repeats.h"
#include "core/text.h"
#include "isolate/container.h"
#include "report/cells.h"
#include "report/format.h"
#include "report/lines.h"
#include "run/sampler.h"
#include "run/store.h"
#include "sys/file.h"
#include "sys/privilege.h"

namespace nsb::cli {
namespace {

/// Joins items by middle dots, in lines that fit the terminal.
std::string in_lines(const std::vector<std::string>& items, std::size_t width) {
    std::string text;
    std::size_t column = 0;
    for (const std::string& item : items) {
        if (column != 0 && width != 0 && column + 3 + report::display_width(item) > width) {
            text += '\n';
            column = 0;
        }
        if (column != 0) text += " · ";
        column += report::display_width(item) + (column != 0 ? 3 : 0);
        text += item;
    }
    return text + '\n';
}

/// Rows of a lab run whose cases change themselves as they go on.
std::string position_lines(const run::RunInfo& info, const std::vector<Row>& rows) {
    const auto ticks = [&](double value) { return report::format_ticks(value, info.identity); };
    std::vector<std::string> found;
    for (const Row& row : rows) {
        if (row.phase != row.measured.phases().front() || !row.position) continue;
        const Position& p = *row.position;
        if (p.explained <= kMuchExplained) continue;
        found.push_back(fmt::format("  {} {}: first {}, steady {}, last {}\n", to_string(row.measured),
                                    nsb::info(row.phase).name, ticks(p.first), ticks(p.steady),
                                    ticks(p.last)));
    }
    if (found.empty()) return "";
    constexpr std::size_t kMostShown = 8;
    std::string text = "position explains most of the variance within a machine of:\n";
    for (const std::string& line : std::span(found).first(std::min(found.size(), kMostShown))) text += line;
    if (found.size() > kMostShown) text += fmt::format("  and {} more\n", found.size() - kMostShown);
    return text;
}

/// How often it was measured, and which scatter rules.
std::string repeats_lines(const run::RunInfo& info, const std::vector<Row>& rows) {
    const std::size_t repeats = std::ranges::max(rows, {}, &Row::repeats).repeats;
    std::string text = fmt::format("{} repeat{}, {} rounds in {:.1f} s, seeds from {}\n", repeats,
                                   repeats == 1 ? "" : "s", info.rounds, info.seconds, info.options.seed);
    const RulingCount count = count_ruling(rows);
    if (count.typical) {
        text += fmt::format(
            "scatter between repeats rules {} of {} rows, within them {}; typically it is {:.1f} times what "
            "rounds "
            "explain\n",
            count.between, count.between + count.within, count.within, *count.typical);
    }
    if (repeats > 1 && repeats < kFewRepeats) {
        text += fmt::format(
            "{} repeats: an interval reaches {:.1f} standard deviations to each side; {} make it {:.1f}\n",
            repeats, reach_of(repeats), kAdvisedRepeats, reach_of(kAdvisedRepeats));
    }
    return text;
}

std::string line(std::string_view text) {
    return fmt::format("nsbench: {}\n", text);
}

/// What a call was for that failed.
enum class FailedOn : std::uint8_t { a_file, namespaces, neither };

FailedOn failed_on(const sys::SystemError& error) {
    static constexpr auto kOfFiles =
        std::to_array<std::string_view>({"open", "write", "rename", "mkdir", "fstat"});
    return std::ranges::find(kOfFiles, error.call()) == kOfFiles.end() ? FailedOn::neither : FailedOn::a_file;
}

/// What of this place is behind a call that failed, and what helps; empty where it is not about the place.
std::string behind(std::string_view what, int error, FailedOn on) {
    // A file may refuse for reasons of its own, and a pipe may be full.
    if (on == FailedOn::a_file && (error == EPERM || error == EAGAIN)) return "";
    if (error == EPERM) return why_not_permitted(needed(what, {}), sys::held_capabilities());
    return std::string(on == FailedOn::namespaces ? limit_behind_call(error) : limit_behind(error));
}

/// Why a path is missing that every machine has.
std::string missing(std::string_view path) {
    if (path == "/dev/null") return "nsbench needs it: in a chroot, mknod -m 666 /dev/null c 1 3";
    if (path.starts_with("/proc/") && access("/proc/self", F_OK) != 0)
        return std::string(sys::what_ails_proc());
    return "";
}

Ending ending_of(std::string_view what, const std::string& why, int code = kNotPermitted) {
    return why.empty() ? Ending{line(what), kFailed} : Ending{line(fmt::format("{}: {}", what, why)), code};
}

Ending ending_of(const sys::SystemError& error) {
    // As any program ends whose reader has seen enough: nsbench list | head
    if (is_unread(error) && error.error() == EPIPE) return {"", kBySignal + SIGPIPE};
    if (error.error() == ENOENT && !missing(error.arguments()).empty())
        return ending_of(error.what(), missing(error.arguments()));
    const bool is_full = error.error() == EFBIG && failed_on(error) == FailedOn::a_file;  // as a disk may be
    return ending_of(error.what(), behind(error.what(), error.error(), failed_on(error)),
                     is_full ? kFailed : kNotPermitted);
}

/// Says no more than is known: the path and the errno, and not which call it was.
Ending ending_of(const std::filesystem::filesystem_error& error) {
    const std::string& path = error.path1().native();
    const int number = error.code().value();
    const std::string what = fmt::format("{}: {} ({})", path, error.code().message(), errno_name(number));
    return ending_of(what, number == ENOENT ? missing(path) : std::string(limit_behind(number)));
}

/// Of the terminal that standard output is, or what a variable says; 0 where neither is known.
std::size_t terminal_size(unsigned short winsize::*part, const char* variable, Range range) {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.*part > 0) return size.*part;
    const char* const text = std::getenv(variable);
    return text == nullptr ? 0 : parse_count(text, range).value_or(0);
}

}  // namespace

std::size_t terminal_width() {
    return terminal_size(&winsize::ws_col, "COLUMNS", {20, 10000});
}

std::size_t terminal_height() {
    // Files and pipes have all, whatever the variable says.
    return isatty(STDOUT_FILENO) == 1 ? terminal_size(&winsize::ws_row, "LINES", {2, 10000}) : 0;
}

std::string warning_lines(const run::RunInfo& info) {
    std::string text;
    for (const std::string& warning : info.warnings) text += fmt::format("warning: {}\n", warning);
    return text;
}

std::string environment_lines(const run::RunInfo& info) {
    const auto fact = [&](std::string_view key) { return env::find(info.environment, key); };
    std::string text = in_lines(
        {fmt::format("nsbench {}", info.version), fmt::format("kernel {}", info.identity.kernel),
         fmt::format("{}, {} CPUs", fact("cpu_model"), fact("cpus")),
         fmt::format("virtualisation {}", fact("virtualisation")),
         info.sampler_cpus.empty() ? "not pinned"
                                   : fmt::format("pinned to CPU {}", fmt::join(info.sampler_cpus, ", ")),
         fmt::format("mitigations: {}", fact("mitigations")), fmt::format("{} mounts", fact("mounts")),
         info.sampler_mappings == 0
             ? "sampler's size unknown"
             : fmt::format("sampler {:.1f} MiB resident, {} mappings",
                           static_cast<double>(info.sampler_resident_bytes) / (1U << 20U),
                           info.sampler_mappings),
         fmt::format("reading the clock takes {:.0f} {}", info.clock_read_ticks, info.identity.unit())},
        terminal_width());
    for (const env::Finding& finding : info.findings) {
        if (finding.severity < env::Severity::warning) continue;
        // What it warns of is a warning of the run's own, once it has happened.
        if (info.in_userns && finding.id == "capabilities") continue;
        text += report::wrap(fmt::format("{}: {}: {}: {} ({})", env::to_string(finding.severity), finding.id,
                                         finding.observed, finding.effect, finding.remedy),
                             terminal_width());
    }
    for (const std::string& warning : info.warnings)
        text += report::wrap(fmt::format("warning: {}", warning), terminal_width());
    return text;
}

namespace {

/// How many rounds were disturbed by what, and what has become of them.
std::string disturbance_lines(const run::RunInfo& info) {
    std::string text;
    std::vector<std::string> causes;
    std::size_t disturbed = 0;
    for (const auto& [name, count] : count_by_disturber(info.marks)) {
        causes.push_back(fmt::format("{} {}", count, name));
        disturbed += count;
    }
    if (disturbed > 0) {
        const bool dropped = info.options.disturbed == Disturbed::drop;
        text += fmt::format("{} of {} rounds disturbed, and {}:\n  {}\n", disturbed, info.marks.size(),
                            dropped ? "left out" : "kept (--disturbed=drop leaves them out)",
                            fmt::join(causes, ", "));
    }
    if (!info.kept_whole.empty()) {
        text += fmt::format("kept in {} case{}, which would have fewer than {} rounds without them\n",
                            info.kept_whole.size(), info.kept_whole.size() == 1 ? "" : "s", kMinForInterval);
    }
    for (const MarkerSource& source : info.marker_sources) {
        if (source.column == "others" && !source.unknown.empty())
            text += fmt::format("other tasks on the measuring CPU are not seen:\n  {}\n", source.unknown);
    }
    return text;
}

}  // namespace

std::string closing_lines(const run::RunInfo& info, const std::vector<Row>& rows) {
    std::string text;
    std::size_t machines = 0;
    for (const Row& row : rows) machines = std::max(machines, row.machines);
    if (info.is_of_repeats()) {
        text += repeats_lines(info, rows);
    } else if (machines == 0) {
        text += fmt::format("{} rounds in {:.1f} s{}, seed {}\n", info.rounds, info.seconds,
                            info.headline_rounds == 0
                                ? ""
                                : fmt::format(", {} of the digest's cases alone", info.headline_rounds),
                            info.options.seed);
    } else {
        text += fmt::format("state {}: each case in a copy of its own of {} saved machine{}\n",
                            info.identity.state, machines,
                            machines == 1 ? "" : "s, whose medians vary by no more than is shown");
        text += position_lines(info, rows);
    }
    text += disturbance_lines(info);
    return text;
}

int exit_code(const run::RunInfo& info, const std::vector<Row>& rows) {
    if (info.interrupted_by != 0) return kBySignal + info.interrupted_by;
    const auto any = [&](auto predicate) { return std::any_of(rows.begin(), rows.end(), predicate); };
    if (any([](const Row& row) { return row.status == Status::failed && !is_named_limit(row.error); }))
        return kFailed;
    if (any([](const Row& row) { return row.status == Status::failed; })) return kNotPermitted;
    // A teardown may not be seen behind calls that were measured.
    const auto any_of_calls = [&](auto predicate) {
        return any([&](const Row& row) { return row.phase != Phase::drain && predicate(row); });
    };
    if (any_of_calls([](const Row& row) { return row.status != Status::skipped; })) return kMeasured;
    // What the time did not reach could be had.
    return any_of_calls([](const Row& row) { return row.error.empty(); }) ? kFailed : kNotPermitted;
}

bool is_unread(const sys::SystemError& error) {
    return error.arguments() == sys::kStandardOutput && (error.error() == EPIPE || error.error() == EIO);
}

Ending ending_of(const std::exception& error) {
    if (const auto* const usage = dynamic_cast<const UsageError*>(&error))
        return {line(usage->what()) + usage->below(), kUsage};
    if (dynamic_cast<const run::StoreError*>(&error) != nullptr) return {line(error.what()), kUsage};
    if (dynamic_cast<const run::NotPermitted*>(&error) != nullptr) return {line(error.what()), kNotPermitted};
    if (const auto* const call = dynamic_cast<const sys::SystemError*>(&error)) return ending_of(*call);
    if (const auto* const step = dynamic_cast<const isolate::NotTaken*>(&error))
        return ending_of(step->what(), behind(step->what(), step->error(), FailedOn::namespaces));
    if (const auto* const file = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
        return ending_of(*file);
    return {line(error.what()), kFailed};
}

int end_by(const std::exception& error) {
    const Ending ending = ending_of(error);
    sys::try_write(STDERR_FILENO, ending.line);
    return ending.code;
}

}  // namespace nsb::cli
