#include "cli/outcome.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "cli/options.h"
#include "core/text.h"
#include "report/table.h"
#include "run/store.h"
#include "run/team.h"

namespace nsb::cli {

std::size_t terminal_width() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    const char* const columns = std::getenv("COLUMNS");
    if (columns == nullptr) return 0;
    return parse_count(columns, 20, 10000).value_or(0);
}

std::string closing_lines(const run::RunInfo& info, const std::vector<Row>& rows,
                          std::span<const Series> bases) {
    std::map<Case, bool> precise;  // in every phase but drain, which comes as it comes
    for (const Row& row : rows) {
        const bool good = row.phase == Phase::drain || row.status == Status::ok;
        precise[row.measured] = precise.try_emplace(row.measured, true).first->second && good;
    }
    const auto count = std::ranges::count_if(precise, [](const auto& entry) { return entry.second; });
    std::string text = fmt::format("{} of {} cases within {:.3g}% in every phase (~: not that column)\n",
                                   count, precise.size(), 100 * info.options.precision);
    text += fmt::format("{} rounds in {:.1f} s, seed {}\n", info.rounds, info.seconds, info.options.seed);
    for (const Series& series : bases) {
        const Phase phase = series.measured.phases().front();
        const std::vector<double> counted = series.counted(phase);
        if (counted.empty()) continue;
        text += fmt::format("{}: {} takes {}\n", to_string(series.measured), nsb::info(phase).name,
                            report::format_ticks(median(counted), info.identity));
    }
    return text;
}

int exit_code(const run::RunInfo& info, const std::vector<Row>& rows) {
    if (info.interrupted_by != 0) return 128 + info.interrupted_by;
    const auto any = [&](auto predicate) { return std::any_of(rows.begin(), rows.end(), predicate); };
    if (any([](const Row& row) { return row.status == Status::failed; })) return kFailed;
    const bool nothing_to_be_had = !any([](const Row& row) {
        return row.phase != Phase::drain && (row.status != Status::skipped || row.error.empty());
    });
    return nothing_to_be_had ? kNotPermitted : kMeasured;
}

int exit_code_of(const std::exception& error) {
    if (dynamic_cast<const UsageError*>(&error) != nullptr) return kUsage;
    if (dynamic_cast<const run::StoreError*>(&error) != nullptr) return kUsage;
    if (dynamic_cast<const run::NotPermitted*>(&error) != nullptr) return kNotPermitted;
    return kFailed;
}

}  // namespace nsb::cli
