// What is said of a load to people: the time line in few rows, and what it comes to.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/statistics.h"
#include "report/cells.h"
#include "report/format.h"
#include "run/churn.h"

namespace nsb::run {
namespace {

using report::format_bytes;

std::string ticks(const ChurnReport& report, double ns) {
    return report::format_ticks(ns, report.start.identity);
}

std::string time_of(const ChurnReport& report, const Latencies& latencies, std::uint64_t Latencies::*part) {
    return latencies.count == 0 ? "" : ticks(report, static_cast<double>(latencies.*part));
}

std::string bytes(const std::optional<std::uint64_t>& value) {
    return value ? format_bytes(static_cast<double>(*value)) : "unknown";
}

/// "+12.0 MiB", also of less than before.
std::string change(std::uint64_t from, std::uint64_t to) {
    const double difference = static_cast<double>(to) - static_cast<double>(from);
    return fmt::format("{}{}", difference < 0 ? "" : "+", format_bytes(difference));
}

/// A column of the table; one that says nothing in any row is left out.
struct TextColumn {
    std::string_view head;
    std::string (*cell)(const ChurnReport& report, const LoadRow& row);
};

constexpr auto kColumns = std::to_array<TextColumn>({
    {"until",
     [](const ChurnReport&, const LoadRow& r) {
         return fmt::format("{}{:.{}f} s", r.is_drain ? "drain " : "", r.end_s(), r.seconds < 0.9 ? 2 : 1);
     }},
    {"done", [](const ChurnReport&,
                const LoadRow& r) { return r.is_drain ? "" : fmt::format("{:.0f}/s", r.rate()); }},
    {"p50", [](const ChurnReport& c, const LoadRow& r) { return time_of(c, r.latency, &Latencies::p50); }},
    {"p90", [](const ChurnReport& c, const LoadRow& r) { return time_of(c, r.latency, &Latencies::p90); }},
    {"p99", [](const ChurnReport& c, const LoadRow& r) { return time_of(c, r.latency, &Latencies::p99); }},
    {"max", [](const ChurnReport& c, const LoadRow& r) { return time_of(c, r.latency, &Latencies::max); }},
    {"waiting",
     [](const ChurnReport&, const LoadRow& r) { return r.backlog ? std::to_string(*r.backlog) : ""; }},
    {"background",
     [](const ChurnReport& c, const LoadRow& r) {
         if (!c.plan.background || r.is_drain || r.seconds <= 0) return std::string();
         return fmt::format("{:.0f}/s", static_cast<double>(r.background_done) / r.seconds);
     }},
    {"not freed",
     [](const ChurnReport&, const LoadRow& r) { return r.not_freed ? std::to_string(*r.not_freed) : ""; }},
    {"Slab", [](const ChurnReport&, const LoadRow& r) { return r.use.slab ? bytes(r.use.slab) : ""; }},
    {"Percpu", [](const ChurnReport&, const LoadRow& r) { return r.use.percpu ? bytes(r.use.percpu) : ""; }},
    {"KernelStack", [](const ChurnReport&,
                       const LoadRow& r) { return r.use.kernel_stack ? bytes(r.use.kernel_stack) : ""; }},
    {"failed", [](const ChurnReport&, const LoadRow& r) { return nsb::to_string(r.errors); }},
});

std::string times_line(const ChurnReport& report, std::string_view name, const Latencies& times,
                       std::string_view meaning) {
    if (times.count == 0) return fmt::format("{:<12}none: {}\n", name, meaning);
    return fmt::format(
        "{:<12}p50 {}, p90 {}, p99 {}, p99.9 {}, max {}: {}\n", name,
        ticks(report, static_cast<double>(times.p50)), ticks(report, static_cast<double>(times.p90)),
        ticks(report, static_cast<double>(times.p99)), ticks(report, static_cast<double>(times.p999)),
        ticks(report, static_cast<double>(times.max)), meaning);
}

/// Why it ended before its time, first of all.
std::string end_lines(const ChurnReport& report) {
    const LoadEnd& end = report.result.end;
    if (end.because == LoadEnd::Because::time) return "";
    if (end.because == LoadEnd::Because::signal)
        return fmt::format("{:<12}by a signal after {:.1f} s; what was measured is kept\n", "ended",
                           report.result.seconds);
    return fmt::format("{:<12}after {:.1f} s: {}\n", "ended", report.result.seconds, end.why);
}

std::string held_words(const ChurnReport& report) {
    const Held& held = report.result.held;
    const std::string rate = format_rate(report.plan.rate);
    if (!held.is_held) return fmt::format("unknown: {}", held.why);
    if (*held.is_held) return fmt::format("{}/s was held", rate);
    return fmt::format("no: {}; of {}/s {:.1f}/s were held", held.why, rate, report.result.rate_at_end);
}

std::string rate_lines(const ChurnReport& report) {
    const ChurnResult& r = report.result;
    const bool is_burst = report.plan.loop == churn::Loop::burst;
    std::string text = fmt::format(
        "{:<12}{:.1f}/s: {} operations in {:.1f} s{}\n", "rate", r.rate(), r.total.done(), r.seconds,
        is_burst ? ", pauses included" : fmt::format("; {:.1f}/s in the last third", r.rate_at_end));
    if (report.plan.loop == churn::Loop::open) {
        std::uint64_t peak = 0;
        for (const LoadRow& row : r.rows) peak = std::max(peak, row.backlog.value_or(0));
        text += fmt::format("{:<12}{}", "sustained", held_words(report));
        text += fmt::format("; at most {} waited\n", peak);
        if (r.unserved > 0)
            text += fmt::format("{:<12}{} arrivals, due and not done at the end, are in no time below\n",
                                "unserved", r.unserved);
    }
    text += r.failed() == 0 ? fmt::format("{:<12}none\n", "failed")
                            : fmt::format("{:<12}{}: {} (in no time below)\n", "failed", r.failed(),
                                          nsb::to_string(r.total.errors));
    if (r.unrecorded > 0) {
        text += fmt::format("{:<12}{} operations are in no figure: nsbench itself had no CPU to read them\n",
                            "unrecorded", r.unrecorded);
    }
    return text;
}

std::string latency_lines(const ChurnReport& report) {
    const ChurnResult& r = report.result;
    std::string text;
    const auto latency = latencies_of(r.total.latency);
    switch (report.plan.loop) {
        case churn::Loop::closed:
            text += times_line(report, "total", latency, "from the call until the child is reaped");
            break;
        case churn::Loop::open:
            text +=
                times_line(report, "latency", latency, "from the intended start until the child is reaped");
            text += times_line(report, "total", latencies_of(r.total.service), "from the call on");
            break;
        case churn::Loop::burst:
            text +=
                times_line(report, "latency", latency, "from the burst's begin until the child is reaped");
            break;
    }
    text += times_line(report, "create", latencies_of(r.total.create), "the call alone");
    if (report.plan.loop == churn::Loop::burst && !r.bursts.empty()) {
        std::vector<double> rates;
        for (const BurstRow& burst : r.bursts) rates.push_back(burst.rate);
        const double best = std::ranges::max(rates);
        text +=
            fmt::format("{:<12}{} of {}; while one lasted {:.1f}/s, the median of them; {:.1f}/s at best\n",
                        "bursts", r.bursts.size(), report.plan.workers, median(std::move(rates)), best);
    }
    if (report.plan.background) {
        const Errors& errors = r.background.errors;
        text += fmt::format(
            "{:<12}{}: {:.1f}/s by {} workers{}\n", "background", nsb::to_string(report.plan.background->set),
            r.seconds > 0 ? static_cast<double>(r.background.done()) / r.seconds : 0,
            report.plan.background->workers,
            errors.empty() ? "" : fmt::format("; failed {}: {}", count_of(errors), nsb::to_string(errors)));
    }
    return text;
}

std::string namespaces_line(const ChurnReport& report) {
    const ChurnResult& r = report.result;
    if (report.plan.made().empty())
        return fmt::format("{:<12}nothing: no namespaces are made\n", "not freed");
    if (!r.not_counted.empty()) return fmt::format("{:<12}unknown: {}\n", "not freed", r.not_counted);
    std::uint64_t peak = 0;
    for (const LoadRow& row : r.rows) peak = std::max(peak, row.not_freed.value_or(0));
    const std::uint64_t left = r.rows.empty() ? 0 : r.rows.back().not_freed.value_or(0);
    return fmt::format("{:<12}{} namespaces at most, {} at the end, above the start\n", "not freed", peak,
                       left);
}

std::string memory_lines(const ChurnReport& report) {
    const ChurnResult& r = report.result;
    const auto start = r.before.memory();
    if (!start || r.rows.empty() || !r.rows.back().use.memory())
        return fmt::format("{:<12}unknown: /proc/meminfo does not tell Slab, Percpu and KernelStack\n",
                           "memory");
    std::uint64_t peak = *start;
    for (const LoadRow& row : r.rows) peak = std::max(peak, row.use.memory().value_or(0));
    const std::uint64_t end = *r.rows.back().use.memory();
    return fmt::format(
        "{:<12}{} at the start, {} at most ({}), {} at the end ({}): Slab + Percpu + KernelStack\n", "memory",
        format_bytes(static_cast<double>(*start)), format_bytes(static_cast<double>(peak)),
        change(*start, peak), format_bytes(static_cast<double>(end)), change(*start, end));
}

std::string settled_line(const ChurnReport& report) {
    const ChurnResult& r = report.result;
    if (!r.was_drained) return fmt::format("{:<12}not waited for\n", "settled");
    const std::string unseen =
        r.teardown_unseen.empty() ? "" : fmt::format("; its workers are not seen: {}", r.teardown_unseen);
    if (r.settled_s)
        return fmt::format("{:<12}{:.2f} s after the load, and still so {:.1f} s later{}\n", "settled",
                           *r.settled_s, r.drained_s - *r.settled_s, unseen);
    const bool is_busy = !r.rows.empty() && !r.rows.back().is_torn_down.value_or(true);
    return fmt::format("{:<12}not within {:.1f} s after the load{}{}\n", "settled", r.drained_s,
                       is_busy ? ": the kernel's workers still tear down" : "", unseen);
}

std::string batch_lines(const ChurnReport& report) {
    if (!report.result.batches) return "";
    const BatchFigures& batches = *report.result.batches;
    if (batches.view.backend == Backend::none)
        return fmt::format("{:<12}unknown: {}\n", "batches", batches.view.reason);
    std::string lost;
    if (!batches.lost) lost = fmt::format("; whether events of theirs are lost is unknown: {}", kLostUnknown);
    if (batches.lost.value_or(0) > 0) lost = fmt::format("; {} of their events are lost", *batches.lost);
    const std::string by =
        fmt::format("by {}{}{}", nsb::to_string(batches.view.backend),
                    batches.view.reason.empty() ? "" : fmt::format(" ({})", batches.view.reason), lost);
    if (batches.count == 0) return fmt::format("{:<12}no cleanup_net was seen to end, {}\n", "batches", by);
    const double watched = report.result.rows.empty() ? 0 : report.result.rows.back().end_s();
    const double busy = static_cast<double>(batches.busy) / 1e9;
    std::string text =
        times_line(report, "batches", batches.durations, fmt::format("{} of cleanup_net", batches.count)) +
        fmt::format("{:<12}{:.1f} s of {:.1f} s in those that ended, {}\n", "  busy", busy, watched, by);
    if (batches.count > batches.rows.size()) {
        text += fmt::format("{:<12}{} of them are not in batches.csv, which has {} at most\n", "  unlisted",
                            batches.count - batches.rows.size(), kMostBatchRows);
    }
    const Latencies& each = batches.namespaces;
    if (each.count == 0)
        return text + fmt::format("{:<12}unknown: {}\n", "  in each", batches.view.uncounted);
    const std::string partly = each.count == batches.count
                                   ? ""
                                   : fmt::format(", counted in {} of {} batches: {}", each.count,
                                                 batches.count, batches.view.uncounted);
    return text + fmt::format("{:<12}p50 {}, p90 {}, max {} namespaces, {:.1f} on average; {} in all{}\n",
                              "  in each", each.p50, each.p90, each.max,
                              static_cast<double>(batches.namespaces_sum) / static_cast<double>(each.count),
                              batches.namespaces_sum, partly);
}

}  // namespace

std::string churn_table(const ChurnReport& report) {
    std::vector<std::vector<std::string>> columns;
    for (const TextColumn& column : kColumns) {
        std::vector<std::string> cells{std::string(column.head)};
        for (const LoadRow& row : report.result.long_rows) cells.push_back(column.cell(report, row));
        const bool says = std::any_of(cells.begin() + 1, cells.end(),
                                      [](const std::string& cell) { return !cell.empty(); });
        if (says) columns.push_back(std::move(cells));
    }
    std::string text;
    for (std::size_t line = 0; !columns.empty() && line < columns.front().size(); ++line) {
        std::string of_line;
        for (const auto& cells : columns) {
            std::size_t width = 0;
            for (const std::string& cell : cells) width = std::max(width, report::display_width(cell));
            of_line += (of_line.empty() ? "" : "  ") + report::pad_left(cells[line], width);
        }
        text += of_line.substr(0, of_line.find_last_not_of(' ') + 1) + '\n';
    }
    return text;
}

std::string churn_summary(const ChurnReport& report) {
    return fmt::format("{}: {}\n", to_string(report.plan), describe(report.plan)) + end_lines(report) +
           rate_lines(report) + latency_lines(report) + namespaces_line(report) + memory_lines(report) +
           settled_line(report) + batch_lines(report);
}

}  // namespace nsb::run
