#include "report/probe_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "report/format.h"

namespace nsb::report {
namespace {

constexpr std::size_t kNameWidth = 44;
/// Waits and allocating functions shown of a case.
constexpr std::size_t kMostShown = 6;

std::string line(std::string_view name, const std::string& calls, const std::string& total,
                 const std::string& self, const std::string& waiting, const std::string& share) {
    return fmt::format("{:<{}} {:>9} {:>11} {:>11} {:>11} {:>8}\n", name, kNameWidth, calls, total, self,
                       waiting, share);
}

/// Writes a case's functions, callers before callees.
class TreeText {
  public:
    TreeText(const RunIdentity& run, const ProbedCase& probed)
        : run_(run), probed_(probed), sampled_(sum_of_call(probed)) {}

    std::string stage(Stage wanted, std::string_view heading) {
        children({}, wanted, 1);
        return text_.empty() ? "" : fmt::format("{}\n{}", heading, std::exchange(text_, {}));
    }

  private:
    [[nodiscard]] std::string ticks(double value) const {
        return value > 0 ? format_ticks(value, run_) : "-";
    }

    /// Of the first phase; where stacks were sampled, the part of the system call's, with its 95% interval as
    /// a proportion.
    [[nodiscard]] std::string share(const CallNode& node) const {
        if (node.stage != Stage::call) return "";
        if (node.calls) {
            return probed_.first_phase > 0 ? fmt::format("{:.1f}%", 100 * node.total / probed_.first_phase)
                                           : "";
        }
        const double part = std::min(1.0, node.total / sampled_.ticks);
        const double error = 1.96 * std::sqrt(part * (1 - part) / std::max(1.0, sampled_.samples));
        return fmt::format("{:.1f}% ±{:.1f}", 100 * part, 100 * error);
    }

    void children(std::optional<std::size_t> caller, Stage wanted, std::size_t depth) {
        std::vector<std::size_t> own;
        for (std::size_t i = 0; i < probed_.calls.size(); ++i) {
            if (probed_.calls[i].caller == caller && probed_.calls[i].stage == wanted) own.push_back(i);
        }
        std::ranges::stable_sort(own, std::ranges::greater{},
                                 [&](std::size_t i) { return probed_.calls[i].total; });
        for (const std::size_t i : own) {
            const CallNode& node = probed_.calls[i];
            text_ += line(std::string(2 * depth, ' ') + std::string(kTraced[node.function].name),
                          node.calls ? fmt::format("{:.2f}", *node.calls) : "?", ticks(node.total),
                          ticks(node.self), ticks(node.waiting), share(node));
            children(i, wanted, depth + 1);
        }
    }

    const RunIdentity& run_;
    const ProbedCase& probed_;
    CallSum sampled_;
    std::string text_;
};

/// The namespaces of what it was compared with.
std::string base_name(const ProbedCase& probed) {
    return to_string(probed.base ? probed.base->set : KindSet{});
}

std::string added_lines(const RunIdentity& run, const ProbedCase& probed) {
    if (probed.adds.empty()) return "";
    double sum = 0;
    for (const Added& added : probed.adds) sum += added.ticks;
    std::string text =
        fmt::format("adds   {:>11}  to {} in traced functions: ", format_ticks(sum, run), base_name(probed));
    for (std::size_t i = 0; i < std::min(kMostShown, probed.adds.size()); ++i) {
        const Added& added = probed.adds[i];
        if (added.ticks <= 0) break;
        text += fmt::format("{}{} {}", i > 0 ? ", " : "", kTraced[added.function].name,
                            format_ticks(added.ticks, run));
    }
    return text + '\n';
}

std::string wait_lines(const RunIdentity& run, const ProbedCase& probed) {
    std::string text;
    for (std::size_t i = 0; i < std::min(kMostShown, probed.waits.size()); ++i) {
        const Wait& wait = probed.waits[i];
        text += fmt::format("waits  {:>11}  {} (in {}, {:.2f} times)\n", format_ticks(wait.ticks, run),
                            wait.what, kTraced[wait.function].name, wait.calls);
    }
    return text;
}

std::string memory_lines(const ProbedCase& probed) {
    if (probed.memory_samples == 0)
        return "memory: not reached; a larger --budget or a narrower --filter reaches it\n";
    struct Sum {
        double bytes = 0, calls = 0, freed = 0;
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
        text += fmt::format("memory {:<7}", kind);
        for (const auto& [allocator, sum] : allocators) {
            text += fmt::format("  {} {} in {:.1f} calls", allocator, format_bytes(sum.bytes), sum.calls);
        }
        text += '\n';
    }
    if (bytes > 0) {
        text += fmt::format("memory in all {} more than {}, {} of it seen freed again\n", format_bytes(bytes),
                            base_name(probed), format_bytes(freed));
    }
    return text;
}

}  // namespace

std::string probe_tree(const RunIdentity& run, const ProbedCase& probed) {
    std::string text = fmt::format("Probe: {}", to_string(probed.measured));
    if (!probed.error.empty()) return text + fmt::format(": {}\n", probed.error);
    const std::string_view phase = info(probed.measured.phases().front()).name;
    text += fmt::format("  {} executions, {} {} unprobed, {} probed", probed.samples, phase,
                        format_ticks(probed.unprobed, run), format_ticks(probed.probed, run));
    if (probed.unprobed > 0) text += fmt::format(" ({:+.1f}%)", 100 * (probed.probed / probed.unprobed - 1));
    text += '\n' + line("function", "calls/op", "total", "self", "waiting", fmt::format("of {}", phase));
    TreeText tree(run, probed);
    text += tree.stage(Stage::call, phase) + tree.stage(Stage::prepare, "prepare") +
            tree.stage(Stage::destroy, "destroy") +
            tree.stage(Stage::async, "async (amortised over a batch)");
    if (probed.preempted >= 1) {
        text += fmt::format("preempted {:>8}  for want of the CPU on the way back from the system call\n",
                            format_ticks(probed.preempted, run));
    }
    text += added_lines(run, probed) + wait_lines(run, probed) + memory_lines(probed);
    for (const ObjectCount& count : probed.objects) {
        text += fmt::format("{} namespaces: {} made, {} of them seen gone, {} pending", info(count.kind).name,
                            count.made, count.gone, count.made - count.gone);
        text += count.foreign > 0 ? fmt::format(", {} of lead-ins or of others gone\n", count.foreign) : "\n";
    }
    for (const auto& [reason, events] : probed.lost)
        text += fmt::format("lost: {} events: {}\n", events, reason);
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
    if (!report.cases.empty()) {
        for (const FunctionRow& row : report.cases.front().functions) {
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
