// churn.json: what is known of a load beside its time line.
#include <nlohmann/json.hpp>

#include "core/failure.h"
#include "core/utf8.h"
#include "run/churn.h"
#include "run/environment_json.h"
#include "run/store.h"

namespace nsb::run {
namespace {

using Json = nlohmann::ordered_json;

double seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
}

template <typename T>
Json told(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

Json times_json(const Latencies& latencies) {
    if (latencies.count == 0) return {};
    return {{"count", latencies.count}, {"p50", latencies.p50},   {"p90", latencies.p90},
            {"p99", latencies.p99},     {"p999", latencies.p999}, {"max", latencies.max}};
}

Json errors_json(const Errors& errors) {
    Json json = Json::object();
    for (const auto& [error, times] : errors) json[errno_name(error)] = times;
    return json;
}

Json plan_json(const ChurnPlan& plan) {
    const bool is_open = plan.loop == churn::Loop::open;
    const bool is_burst = plan.loop == churn::Loop::burst;
    Json json{{"set", nsb::to_string(plan.set)},
              {"loop", is_open ? "open" : (is_burst ? "burst" : "closed")},
              {"workers", plan.workers},
              {"rate", is_open ? Json(plan.rate) : Json()},
              {"burst", is_burst ? Json(plan.workers) : Json()},
              {"bursts", is_burst && plan.bursts != 0 ? Json(plan.bursts) : Json()},
              {"pause_s", is_burst ? Json(seconds(plan.pause)) : Json()},
              {"for_s", seconds(plan.duration)},
              {"interval_s", seconds(plan.interval())},
              {"drain_s", seconds(plan.drain)}};
    json["background"] = Json();
    if (plan.background) {
        json["background"] = {{"set", nsb::to_string(plan.background->set)},
                              {"workers", plan.background->workers}};
    }
    return json;
}

Json use_json(const KernelUse& use) {
    return {{"slab", told(use.slab)},
            {"percpu", told(use.percpu)},
            {"kernel_stack", told(use.kernel_stack)},
            {"sum", told(use.memory())},
            {"namespaces", told(use.namespaces)}};
}

/// Of the rows, that with the most of it.
Json peak_json(const ChurnResult& result) {
    std::optional<KernelUse> most;
    std::optional<std::uint64_t> namespaces;
    for (const LoadRow& row : result.rows) {
        if (!most || row.use.memory() > most->memory()) most = row.use;
        if (row.use.namespaces > namespaces) namespaces = row.use.namespaces;
    }
    if (!most) return {};
    most->namespaces = namespaces;
    return use_json(*most);
}

Json kernel_json(const ChurnResult& result) {
    return {{"unit", "bytes"},
            {"namespaces_counted_in", result.caches},
            {"namespaces_unknown", result.not_counted.empty() ? Json() : Json(result.not_counted)},
            {"teardown_unseen", result.teardown_unseen.empty() ? Json() : Json(result.teardown_unseen)},
            {"start", use_json(result.before)},
            {"peak", peak_json(result)},
            {"end", result.rows.empty() ? Json() : use_json(result.rows.back().use)},
            {"drained_s", result.was_drained ? Json(result.drained_s) : Json()},
            {"settled_s", told(result.settled_s)}};
}

std::string_view to_string(LoadEnd::Because because) {
    switch (because) {
        case LoadEnd::Because::unfinished:
            return "unfinished";
        case LoadEnd::Because::time:
            return "time";
        case LoadEnd::Because::signal:
            return "signal";
        case LoadEnd::Because::limit:
            return "limit";
        case LoadEnd::Because::unsupported:
            return "unsupported";
        case LoadEnd::Because::fault:
            return "fault";
    }
    return "";
}

Json load_json(const ChurnReport& report) {
    const ChurnResult& result = report.result;
    const bool is_open = report.plan.loop == churn::Loop::open;
    const Held& held = result.held;
    std::uint64_t peak = 0;
    for (const LoadRow& row : result.rows) peak = std::max(peak, row.backlog.value_or(0));
    Json json{{"seconds", result.seconds},
              {"operations", result.total.done()},
              {"failed", result.failed()},
              {"errors", errors_json(result.total.errors)},
              {"unrecorded", result.unrecorded},
              {"rate", result.rate()},
              {"rate_at_end", result.rate_at_end},
              {"latency", times_json(latencies_of(result.total.latency))},
              {"service", times_json(latencies_of(result.total.service))},
              {"create", times_json(latencies_of(result.total.create))},
              {"sustained", told(held.is_held)},
              {"not_sustained_because", held.is_held == false ? Json(held.why) : Json()},
              {"sustained_unknown", is_open && !held.is_held ? Json(held.why) : Json()},
              {"peak_backlog", is_open ? Json(peak) : Json()},
              {"unserved", is_open ? Json(result.unserved) : Json()},
              {"bursts", report.plan.loop == churn::Loop::burst ? Json(result.bursts.size()) : Json()}};
    json["background"] = Json();
    if (report.plan.background) {
        json["background"] = {{"operations", result.background.done()},
                              {"failed", count_of(result.background.errors)},
                              {"errors", errors_json(result.background.errors)},
                              {"latency", times_json(latencies_of(result.background.latency))}};
    }
    return json;
}

/// Of --probe; null without it.
Json batches_json(const ChurnResult& result) {
    if (!result.batches) return {};
    const BatchFigures& batches = *result.batches;
    const bool is_seen = batches.view.backend != Backend::none;
    const double watched = result.rows.empty() ? 0 : result.rows.back().end_s();
    const double busy = static_cast<double>(batches.busy) / 1e9;
    Json json{{"backend", nsb::to_string(batches.view.backend)},
              {"because", batches.view.reason.empty() ? Json() : Json(batches.view.reason)}};
    if (!is_seen) return json;
    json["count"] = batches.count;
    json["unlisted"] = batches.count - batches.rows.size();
    json["lost"] = told(batches.lost);
    json["lost_unknown"] = batches.lost ? Json() : Json(kLostUnknown);
    json["duration"] = times_json(batches.durations);
    json["busy_s"] = busy;
    json["busy_share"] = watched > 0 ? Json(busy / watched) : Json();
    json["namespaces"] = times_json(batches.namespaces);
    if (batches.namespaces.count > 0) json["namespaces"]["sum"] = batches.namespaces_sum;
    json["namespaces_unknown"] = batches.view.uncounted.empty() ? Json() : Json(batches.view.uncounted);
    return json;
}

}  // namespace

std::string churn_json(const ChurnReport& report) {
    const RunStart& start = report.start;
    Json json;
    json["schema_version"] = kSchemaVersion;
    json["nsbench_version"] = start.version;
    json["run_id"] = start.identity.run_id;
    json["started"] = start.started;
    json["kernel"] = start.identity.kernel;
    json["unit"] = start.identity.unit();
    json["arguments"] = start.arguments;
    json["case"] = to_string(report.plan);
    json["plan"] = plan_json(report.plan);
    json["in_userns"] = report.in_userns;
    json["warnings"] = start.warnings;
    json["environment"] = environment_json(start);
    json["findings"] = findings_json(start);
    json["sampler"] = {{"capabilities", capabilities_json(report.result.capabilities)}};
    json["ended_by"] = to_string(report.result.end.because);
    json["ended_because"] = report.result.end.why.empty() ? Json() : Json(report.result.end.why);
    json["interrupted_by_signal"] = report.result.interrupted_by;
    json["load"] = load_json(report);
    json["kernel_use"] = kernel_json(report.result);
    json["batches"] = batches_json(report.result);
    change_strings(json, as_utf8);
    return json.dump(2) + "\n";
}

}  // namespace nsb::run
