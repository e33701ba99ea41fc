// The words that all formats of the digest have in common.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/digest.h"
#include "report/format.h"

namespace nsb::report::digest {
namespace {

/// From here on a set is told by what it lacks.
constexpr int kManyKinds = 6;
/// Sets that do not follow the sum of their kinds are named up to here.
constexpr std::size_t kMostOff = 4;

/// The parameters that a case has at other values than the defaults, as its id has them.
std::string parameters_of(const Case& c) {
    std::string text;
    const Case usual = Case::of(c.operation, c.set);
    for (std::size_t i = 0; i < kParameters; ++i) {
        const auto parameter = static_cast<Parameter>(i);
        if (parameter == compared(c.operation) || c.value(parameter) == usual.value(parameter)) continue;
        text += fmt::format("/{}:{}", nsb::info(parameter).key, format_value(parameter, c.value(parameter)));
    }
    return text;
}

/// "8.40 µs more (7.40 µs … 9.40 µs)".
std::string gap_text(const SetSum& sum, const RunIdentity& run, std::string_view than = "") {
    const bool is_more = sum.gap > 0;
    const auto [low, high] = is_more ? sum.range : Interval{-sum.range.high, -sum.range.low};
    return fmt::format("{} {}{} ({} … {})", format_ticks(std::abs(sum.gap), run), is_more ? "more" : "less",
                       than, format_ticks(low, run), format_ticks(high, run));
}

std::string shared_line(const SharedCost& shared, std::string_view operation, const RunIdentity& run) {
    const auto ticks = [&](double value) { return format_ticks(std::abs(value), run); };
    const bool saves = shared.saving > 0;
    const auto [low, high] = saves ? shared.ci : Interval{shared.ci.high, shared.ci.low};
    return fmt::format(
        "{}: kinds {}: two together add {} {} than their sum (middle of {} pairs; its 95% interval {} … {})",
        operation, saves ? "share a cost" : "slow each other down", ticks(shared.saving),
        saves ? "less" : "more", shared.pairs, ticks(low), ticks(high));
}

}  // namespace

std::string set_name(KindSet kinds) {
    if (kinds == KindSet::all()) return "all kinds";
    if (kinds.size() >= kManyKinds) return fmt::format("all but {}", to_string(KindSet::all() - kinds));
    return to_string(kinds);
}

std::string entry_name(const DigestBlock& block, const DigestEntry& entry) {
    const auto about = compared(block.operation);
    return about ? format_value(*about, entry.measured.value(*about)) : set_name(entry.kinds);
}

std::string block_name(const DigestBlock& block) {
    return fmt::format("{}{} · {}", info(block.operation).name, parameters_of(block.entries.front().measured),
                       info(block.phase).name);
}

std::string base_name(const DigestBlock& block) {
    const bool is_own = block.base->operation == block.operation;
    return is_own ? to_string(block.base->set) : std::string(info(block.base->operation).name);
}

std::string_view subject(const DigestBlock& block) {
    if (const auto about = compared(block.operation)) return *about == Parameter::by ? "runtime" : "way";
    return block.is_of_kinds ? "kind" : "set";
}

std::string about(const DigestBlock& block) {
    return block.base ? fmt::format("what each {} adds to {}", subject(block), base_name(block))
                      : fmt::format("what it takes with each {}", subject(block));
}

std::string value_text(const DigestBlock& block, double value, const RunIdentity& run) {
    return fmt::format("{}{}", block.base && value >= 0 ? "+" : "", format_ticks(value, run));
}

std::string range_text(const Quantity& figure, const RunIdentity& run) {
    if (figure.resolution) return fmt::format("±{}", format_ticks(*figure.resolution, run));
    if (!figure.ci) return "";
    return fmt::format("{} … {}", format_ticks(figure.ci->low, run), format_ticks(figure.ci->high, run));
}

std::string range_name(const DigestRun& run) {
    if (run.has_machines) return "varies by";
    if (run.repeats > 1) return fmt::format("95% interval of {} repeats", run.repeats);
    return "95% interval";
}

std::string status_text(const DigestEntry& entry) {
    return fmt::format("{}{}{}", to_string(entry.status), entry.error.empty() ? "" : ": ", entry.error);
}

std::string missing_text(const Missing& missing) {
    const std::string of = missing.phase ? fmt::format("{} of ", info(*missing.phase).name) : "";
    return fmt::format("{}: {}{} case{}: {}{}{}", to_string(missing.status), of, missing.cases,
                       missing.cases == 1 ? "" : "s", missing.error, missing.error.empty() ? "" : ": ",
                       missing.reason);
}

std::vector<std::string> sum_lines(const DigestBlock& block, const RunIdentity& run) {
    if (!block.sums) return {};
    const SetSums& sums = *block.sums;
    const std::string_view operation = info(block.operation).name;
    // That of all kinds has a line of its own.
    std::vector<SetSum> off = sums.off;
    std::erase_if(off, [&](const SetSum& sum) { return sums.all && sum.kinds == sums.all->kinds; });
    std::vector<std::string> lines;
    if (sums.shared) lines.push_back(shared_line(*sums.shared, operation, run));
    lines.push_back(fmt::format("{}, sets of several kinds: {} of {} agree with the sum of their kinds{}{}",
                                operation, sums.following, sums.compared,
                                sums.shared ? ", less what these share" : "",
                                off.empty() ? "" : "; furthest from it:"));
    for (std::size_t i = 0; i < std::min(off.size(), kMostOff); ++i)
        lines.push_back(fmt::format("  {}: {}", set_name(off[i].kinds), gap_text(off[i], run)));
    if (sums.all)
        lines.push_back(fmt::format("{}: {} together add {}, {}", operation, set_name(sums.all->kinds),
                                    format_ticks(sums.all->added, run),
                                    gap_text(*sums.all, run, " than the sum of its kinds")));
    return lines;
}

std::vector<std::string> base_lines(const Digest& digest, const RunIdentity& run) {
    std::vector<std::pair<KindSet, std::string>> of_sets;
    for (const BaseFigure& base : digest.bases) {
        auto at = std::ranges::find(of_sets, base.measured.set, &std::pair<KindSet, std::string>::first);
        if (at == of_sets.end()) at = of_sets.insert(at, {base.measured.set, ""});
        at->second += fmt::format("{}{}{} {} {}", at->second.empty() ? "" : ", ",
                                  info(base.measured.operation).name, parameters_of(base.measured),
                                  info(base.phase).name, format_ticks(base.figure.value, run));
        if (base.cases > 1)
            at->second += fmt::format(" ({} … {} in {} cases)", format_ticks(base.medians.low, run),
                                      format_ticks(base.medians.high, run), base.cases);
    }
    std::vector<std::string> lines;
    for (const auto& [set, text] : of_sets) lines.push_back(fmt::format("{} takes: {}", set_name(set), text));
    return lines;
}

std::string shown_text(const Digest& digest) {
    if (digest.shown == digest.cases) return "";
    return fmt::format("{} of {} cases stand above by themselves; the table, --csv and --out have all",
                       digest.shown, digest.cases);
}

std::string precision_text(const DigestRun& run, const Digest& digest) {
    return fmt::format("{} of {} cases within {:.3g}% in every phase", digest.precise, digest.cases,
                       100 * run.precision);
}

}  // namespace nsb::report::digest
