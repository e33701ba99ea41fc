#include "report/probe_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/cells.h"
#include "report/format.h"
#include "report/tree_text.h"

namespace nsb::report {
namespace {

/// Waits and allocating functions shown of a case.
constexpr std::size_t kMostShown = 6;
/// Calls for each execution: what fewer make is written as 0.0, and is not the case's.
constexpr double kFewCalls = 0.05;

/// What a time takes in front of what it is of.
constexpr std::size_t kTicksWidth = 11;

/// The namespaces of what it was compared with.
std::string base_name(const ProbedCase& probed) {
    return to_string(probed.base ? probed.base->set : KindSet{});
}

std::string added_lines(const RunIdentity& run, const ProbedCase& probed, std::size_t width) {
    if (probed.adds.empty()) return "";
    double sum = 0;
    for (const Added& added : probed.adds) sum += added.ticks;
    std::vector<std::string> items{fmt::format("to {} in traced functions:", base_name(probed))};
    for (std::size_t i = 0; i < std::min(kMostShown, probed.adds.size()); ++i) {
        const Added& added = probed.adds[i];
        if (added.ticks <= 0) break;
        if (i > 0) items.back() += ',';
        items.push_back(fmt::format("{} {}", kTraced[added.function].name, format_ticks(added.ticks, run)));
    }
    return flow(fmt::format("adds   {}  ", pad_left(format_ticks(sum, run), kTicksWidth)), items, " ", width);
}

std::string wait_lines(const RunIdentity& run, const ProbedCase& probed, std::size_t width) {
    std::string text;
    for (std::size_t i = 0; i < std::min(kMostShown, probed.waits.size()); ++i) {
        const Wait& wait = probed.waits[i];
        // "synchronize_rcu in cleanup_net" may take two lines.
        const std::size_t caller = std::min(wait.what.find(" in "), wait.what.size());
        std::vector<std::string> items{wait.what.substr(0, caller)};
        if (caller < wait.what.size()) items.push_back(wait.what.substr(caller + 1));
        items.push_back(fmt::format("(in {}, {:.2f} times)", kTraced[wait.function].name, wait.calls));
        text += flow(fmt::format("waits  {}  ", pad_left(format_ticks(wait.ticks, run), kTicksWidth)), items,
                     " ", width);
    }
    return text;
}

std::string memory_lines(const ProbedCase& probed, std::size_t width) {
    if (probed.memory_samples == 0)
        return flow("memory: ", {"not reached;", "a larger --budget or a narrower --filter reaches it"}, " ",
                    width);
    struct Sum {
        double bytes = 0, calls = 0;
    };
    std::map<std::string, std::map<std::string, Sum>> kinds;
    double bytes = 0;
    double freed = 0;
    for (const MemoryRow& row : probed.memory) {
        Sum& sum = kinds[std::string(kind_name(row.kind))][row.allocator];
        sum.bytes += row.bytes;
        sum.calls += row.calls;
        if (row.allocator == "percpu") continue;
        bytes += row.bytes;
        freed += row.freed;
    }
    std::string text;
    for (const auto& [kind, allocators] : kinds) {
        std::vector<std::string> items;
        for (const auto& [allocator, sum] : allocators) {
            if (std::abs(sum.calls) < kFewCalls) continue;
            items.push_back(fmt::format("{} {} in {:.1f} {}", allocator, format_bytes(sum.bytes),
                                        std::abs(sum.calls), sum.calls < 0 ? "calls fewer" : "calls"));
        }
        if (!items.empty()) text += flow(fmt::format("memory {:<7}  ", kind), items, "  ", width);
    }
    if (bytes > 0) {
        const std::string than =
            probed.memory_base ? fmt::format(" more than {}", to_string(probed.memory_base->set)) : "";
        text += flow("memory in all but percpu ",
                     {fmt::format("{}{},", format_bytes(bytes), than),
                      fmt::format("{} of it seen freed again", format_bytes(freed))},
                     " ", width);
    }
    return text;
}

std::string object_lines(const ProbedCase& probed, std::size_t width) {
    std::string text;
    for (const ObjectCount& count : probed.objects) {
        std::vector<std::string> items{fmt::format("{} made,", count.made),
                                       fmt::format("{} of them seen gone,", count.gone),
                                       fmt::format("{} pending", count.made - count.gone)};
        if (count.foreign > 0) {
            items.back() += ',';
            items.push_back(fmt::format("{} of lead-ins or of others gone", count.foreign));
        }
        text += flow(fmt::format("{} namespaces: ", info(count.kind).name), items, " ", width);
    }
    return text;
}

/// The case, how often it was executed, and what the probe costs it.
std::string heading(const RunIdentity& run, const ProbedCase& probed, std::size_t width) {
    const std::string_view phase = info(probed.measured.phases().front()).name;
    std::vector<std::string> items{fmt::format("  {} executions,", probed.samples),
                                   fmt::format("{} {} unprobed,", phase, format_ticks(probed.unprobed, run)),
                                   fmt::format("{} probed", format_ticks(probed.probed, run))};
    if (probed.unprobed > 0)
        items.back() += fmt::format(" ({})", format_change(probed.probed / probed.unprobed));
    std::string text = fmt::format("Probe: {}", to_string(probed.measured));
    const std::string facts = flow("", items, " ", 0);
    if (width != 0 && display_width(text) + display_width(facts) > width + 1) text += '\n';
    return text + facts;
}

}  // namespace

std::string probe_tree(const RunIdentity& run, const ProbedCase& probed, std::size_t width) {
    std::string text = heading(run, probed, width) + tree_text(run, probed, width);
    if (probed.preempted >= 1) {
        text += flow(
            fmt::format("preempted {}  ", pad_left(format_ticks(probed.preempted, run), kTicksWidth - 3)),
            {"for want of the CPU", "on the way back from the system call"}, " ", width);
    }
    text += added_lines(run, probed, width) + wait_lines(run, probed, width) + memory_lines(probed, width) +
            object_lines(probed, width);
    for (const auto& [reason, events] : probed.lost)
        text += fmt::format("lost: {} events: {}\n", events, reason);
    return text;
}

std::string unprobed_lines(std::span<const ProbedCase> cases) {
    std::map<std::string, std::vector<std::string>> reasons;
    for (const ProbedCase& one : cases) {
        if (!one.error.empty()) reasons[one.error].push_back(to_string(one.measured));
    }
    std::string text;
    for (const auto& [reason, ids] : reasons) {
        if (ids.size() == 1) {
            text += fmt::format("Probe: {}: {}\n", ids.front(), reason);
            continue;
        }
        const std::span shown = std::span(ids).first(std::min(kMostShown, ids.size()));
        text += fmt::format("probe: {} cases: {} ({}{})\n", ids.size(), reason, fmt::join(shown, ", "),
                            shown.size() < ids.size() ? ", ..." : "");
    }
    return text;
}

std::string probe_summary(const RunIdentity& run, const ProbeReport& report) {
    std::map<Backend, std::size_t> served;
    for (const Backend backend : report.backends) ++served[backend];
    std::string text = "probe: ";
    for (const auto& [backend, functions] : served) {
        text += fmt::format("{}{} by {}", backend == served.begin()->first ? "" : ", ", functions,
                            to_string(backend));
    }
    text += fmt::format(" of {} functions", report.backends.size());
    if (report.cost.whole() > 0)
        text += fmt::format("; a traced call costs {:.0f} {}, taken off", report.cost.whole(), run.unit());
    if (report.sampling_period)
        text += fmt::format("; stacks every {}", format_ticks(*report.sampling_period, run));
    text += fmt::format("; {:.1f} s\n", report.seconds);
    for (const std::string& note : report.notes) text += fmt::format("probe: {}\n", note);
    std::map<std::string, std::vector<std::string_view>> reasons;
    // They are the same of all cases that were probed.
    const auto probed =
        std::ranges::find_if(report.cases, [](const ProbedCase& one) { return !one.functions.empty(); });
    if (probed != report.cases.end()) {
        for (const FunctionRow& row : probed->functions) {
            if (!row.reason.empty()) reasons[row.reason].push_back(kTraced[row.function].name);
        }
    }
    for (const auto& [reason, functions] : reasons) {
        text += fmt::format("probe: {} functions: {} ({}{})\n", functions.size(), reason, functions.front(),
                            functions.size() > 1 ? ", ..." : "");
    }
    return text;
}

std::string folded_stacks(const ProbeReport& report) {
    std::string text;
    for (const ProbedCase& probed : report.cases) {
        for (const auto& [stack, ticks] : probed.folded) {
            const long long weight = std::llround(ticks);
            if (weight > 0) text += fmt::format("{};{} {}\n", to_string(probed.measured), stack, weight);
        }
    }
    return text;
}

}  // namespace nsb::report
