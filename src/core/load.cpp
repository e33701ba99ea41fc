#include "core/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/failure.h"

namespace nsb {
namespace {

constexpr double kMostRate = 1e6;
constexpr double kLeastRate = 1.0 / 3600;
/// Rows that tell more of a stretch of time than one's chance.
constexpr std::size_t kLeastRows = 3;
static_assert(kLeastToJudge == kLeastRows * 3 * 3, "in each third of the last third");

std::span<const LoadRow> last_third(std::span<const LoadRow> rows) {
    return rows.last(rows.size() / 3);
}

std::uint64_t backlog_of(const LoadRow& row) {
    return row.backlog.value_or(0);
}

/// Whether the backlog is greater in the last of three parts than it ever was in the first, by more than the
/// workers have in hand.
bool grows(std::span<const LoadRow> rows, std::uint32_t workers) {
    const std::size_t part = rows.size() / 3;
    const auto most = std::ranges::max_element(rows.first(part), {}, backlog_of);
    const auto least = std::ranges::min_element(rows.last(part), {}, backlog_of);
    return backlog_of(*least) > backlog_of(*most) + workers;
}

/// How far a figure may move that has settled, by what the load had added to it.
std::uint64_t still(std::uint64_t before, std::uint64_t peak, std::uint64_t least) {
    return std::max((peak > before ? peak - before : 0) / 20, least);
}

/// What one row says of a figure.
using Figure = std::optional<std::uint64_t> (*)(const KernelUse& use);

/// The begin of the last stretch of rows in which a figure did not move by more than `still`, from the last
/// one back; where it is not told, that of all rows.
double still_since(std::span<const LoadRow> all, Figure figure, std::uint64_t still) {
    std::uint64_t low = ~std::uint64_t{0};
    std::uint64_t high = 0;
    for (std::size_t i = all.size(); i-- > 0;) {
        const auto value = figure(all[i].use);
        if (!value) continue;
        low = std::min(low, *value);
        high = std::max(high, *value);
        if (high - low > still) return all[i + 1].end_s();
    }
    return all.empty() ? 0 : all.front().begin_s;
}

std::uint64_t peak_of(std::span<const LoadRow> all, Figure figure) {
    std::uint64_t peak = 0;
    for (const LoadRow& row : all) peak = std::max(peak, figure(row.use).value_or(0));
    return peak;
}

/// Since when the workers have had nothing to do; the begin of all rows where they are not seen.
double torn_down_since(std::span<const LoadRow> all) {
    for (std::size_t i = all.size() - 1; i-- > 0;) {
        if (!all[i].is_torn_down.value_or(true)) return all[i + 1].end_s();
    }
    return all.front().begin_s;
}

/// Whether more than half of the memory that the load had added at most is still held.
bool holds_much(const KernelUse& before, std::span<const LoadRow> all, std::uint64_t least) {
    const std::uint64_t begin = before.memory().value_or(0);
    const std::uint64_t peak = peak_of(all, [](const KernelUse& use) { return use.memory(); });
    const std::uint64_t now = all.back().use.memory().value_or(0);
    return peak > begin + least && now > begin + (peak - begin) / 2;
}

}  // namespace

std::optional<std::uint64_t> KernelUse::memory() const {
    if (!slab || !percpu || !kernel_stack) return std::nullopt;
    return *slab + *percpu + *kernel_stack;
}

std::uint64_t count_of(const Errors& errors) {
    std::uint64_t count = 0;
    for (const auto& [error, times] : errors) count += times;
    return count;
}

std::string to_string(const Errors& errors) {
    std::string text;
    for (const auto& [error, times] : errors)
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", errno_name(error), times);
    return text;
}

void Tally::add(const churn::Record& record) {
    if (record.failure.error != 0) {
        ++errors[record.failure.error];
        return;
    }
    latency.add(record.end - record.intended);
    service.add(record.end - record.start);
    create.add(record.created - record.start);
}

void Tally::add(const Tally& other) {
    latency.add(other.latency);
    service.add(other.service);
    create.add(other.create);
    for (const auto& [error, times] : other.errors) errors[error] += times;
}

void Tally::clear() {
    latency.clear();
    service.clear();
    create.clear();
    errors.clear();
}

std::uint64_t due_arrivals(double period_ns, std::uint64_t since_begin_ns) {
    return static_cast<std::uint64_t>(static_cast<double>(since_begin_ns) / period_ns) + 1;
}

Held judge(std::span<const LoadRow> load, const OpenLoad& asked) {
    std::uint64_t failed = 0;
    std::uint64_t arrived = asked.unrecorded + (load.empty() ? 0 : backlog_of(load.back()));
    for (const LoadRow& row : load) {
        failed += count_of(row.errors);
        arrived += row.done + count_of(row.errors);
    }
    if (failed > 0) return {false, fmt::format("{} of {} arrivals failed", failed, arrived)};
    if (!load.empty() && static_cast<double>(backlog_of(load.back())) > std::max(asked.rate, 1.0))
        return {false, "more than a second's arrivals were waiting at the end"};
    if (load.size() >= kLeastToJudge && grows(last_third(load), asked.workers))
        return {false, "the arrivals that wait grew through the last third"};
    if (asked.unrecorded > 0)
        return {std::nullopt, fmt::format("{} of {} arrivals have no record", asked.unrecorded, arrived)};
    if (load.size() < kLeastToJudge) {
        return {std::nullopt,
                fmt::format("{} intervals are too few, {} show whether the arrivals that wait grow: a longer "
                            "--for, or a shorter --interval",
                            load.size(), kLeastToJudge)};
    }
    return {true, ""};
}

double rate_at_end(std::span<const LoadRow> load) {
    std::span<const LoadRow> rows = last_third(load);
    if (rows.size() < kLeastRows) rows = load;
    double done = 0;
    double seconds = 0;
    for (const LoadRow& row : rows) {
        done += static_cast<double>(row.done);
        seconds += row.seconds;
    }
    return seconds > 0 ? done / seconds : 0;
}

std::optional<double> settled_at(const KernelUse& before, std::span<const LoadRow> all) {
    constexpr std::uint64_t kLeastMemory = 2U << 20U;
    constexpr std::uint64_t kLeastNamespaces = 16;
    const Figure memory = [](const KernelUse& use) { return use.memory(); };
    const Figure namespaces = [](const KernelUse& use) { return use.namespaces; };
    const bool is_busy = !all.empty() && !all.back().is_torn_down.value_or(true);
    const bool is_told = !is_busy && !all.empty() && (memory(all.back().use) || namespaces(all.back().use));
    if (!is_told) return std::nullopt;
    const auto since = [&](Figure figure, std::uint64_t least) {
        const std::uint64_t begin = figure(before).value_or(0);
        return still_since(all, figure, still(begin, peak_of(all, figure), least));
    };
    if (!all.back().is_torn_down && holds_much(before, all, kLeastMemory)) return std::nullopt;
    const double settled =
        std::max({since(memory, kLeastMemory), since(namespaces, kLeastNamespaces), torn_down_since(all)});
    if (all.back().end_s() - settled < kSettledFor) return std::nullopt;
    return settled;
}

tl::expected<double, std::string> parse_rate(std::string_view text) {
    const auto refuse = [] {
        return tl::unexpected<std::string>(
            "a number with its time, such as 200/s, 0.5/s or 90/m, from 1/h to "
            "1000000/s");
    };
    double value = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, value, std::chars_format::fixed);
    if (error != std::errc{} || !std::isfinite(value)) return refuse();
    const std::string_view unit(end, static_cast<std::size_t>(last - end));
    if (unit == "/m") {
        value /= 60;
    } else if (unit == "/h") {
        value /= 3600;
    } else if (!unit.empty() && unit != "/s") {
        return refuse();
    }
    if (value < kLeastRate || value > kMostRate) return refuse();
    return value;
}

std::string format_rate(double rate) {
    // Of six digits, which {:.6g} would round up to 1e+06, all are before the point.
    constexpr double kSixDigits = 1e5;
    const bool is_whole = rate == std::floor(rate) || rate >= kSixDigits;
    return is_whole ? fmt::format("{:.0f}", rate) : fmt::format("{:.6g}", rate);
}

}  // namespace nsb
