#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/utf8.h"
#include "run/environment_json.h"
#include "run/limits.h"
#include "run/store.h"

namespace nsb::run {
namespace {

using Json = nlohmann::ordered_json;

Json selection_json(const Selection& selection) {
    Json json;
    json["cases"] = Json(selection.cases);
    json["filter"] = selection.filter ? Json(*selection.filter) : Json();
    json["op"] = Json::array();
    for (const Operation operation : selection.operations) json["op"].push_back(info(operation).name);
    json["ns"] = Json::array();
    for (const KindSet set : selection.sets) json["ns"].push_back(to_string(set));
    json["with"] = Json(selection.values);
    json["curve"] = selection.curve ? Json(to_string(*selection.curve)) : Json();
    json["plan"] = kExtentNames[static_cast<std::size_t>(selection.extent)];
    return json;
}

Json options_json(const RunOptions& options) {
    Json json;
    json["selection"] = selection_json(options.selection);
    json["budget_s"] = options.budget ? Json(std::chrono::duration<double>(*options.budget).count()) : Json();
    json["precision"] = options.precision;
    json["samples"] = options.samples ? Json(*options.samples) : Json();
    json["lead_in"] = options.lead_in ? Json(*options.lead_in) : Json();
    json["block"] = options.block ? Json(*options.block) : Json();
    json["alone"] = options.alone;
    json["seed"] = options.seed;
    json["cpu"] = options.cpu ? Json(*options.cpu) : Json("any");
    json["clock"] = nsb::info(options.clock).name;
    json["disturbed"] = to_string(options.disturbed);
    return json;
}

Json repeat_json(const Repeat& repeat) {
    return {{"number", repeat.is_of_all() ? Json() : Json(repeat.number)},
            {"count", repeat.count},
            {"apart_s", std::chrono::duration<double>(repeat.apart).count()},
            {"complete", repeat.complete}};
}

Json runtime_json(const Runtime& runtime) {
    Json json;
    json["by"] = nsb::info(Parameter::by).choices()[static_cast<std::size_t>(runtime.by)];
    json["path"] = runtime.path.empty() ? Json() : Json(runtime.path);
    json["version"] = runtime.path.empty() ? Json() : Json(runtime.version);
    json["command"] = runtime.command.empty() ? Json() : Json(runtime.command);
    json["calls"] = Json();
    for (std::size_t i = 0; runtime.counts && i < runtime.counts->size(); ++i) {
        json["calls"][protocol::kCounted[i].name] = (*runtime.counts)[i];
    }
    return json;
}

Json runtimes_json(const RunInfo& info) {
    if (info.runtimes.empty() && !info.earlier_runtimes.empty()) return Json::parse(info.earlier_runtimes);
    Json json = Json::array();
    for (const Runtime& runtime : info.runtimes) json.push_back(runtime_json(runtime));
    return json;
}

/// What probe.csv and memory.csv do not say: costs, losses, waits.
Json probed_json(const ProbedCase& probed) {
    Json json;
    json["case"] = to_string(probed.measured);
    json["error"] = probed.error.empty() ? Json() : Json(probed.error);
    json["executions"] = probed.samples;
    json["memory_executions"] = probed.memory_samples;
    json["unprobed_median"] = probed.unprobed;
    json["probed_median"] = probed.probed;
    json["traced_calls_per_op"] = probed.events;
    json["base"] = probed.base ? Json(to_string(*probed.base)) : Json();
    json["adds_to_none"] = Json::array();  // named after the usual base
    for (const Added& added : probed.adds) {
        json["adds_to_none"].push_back({{"function", kTraced[added.function].name}, {"self", added.ticks}});
    }
    json["preempted"] = probed.preempted;
    json["lost"] = Json(probed.lost);
    json["namespaces"] = Json::array();
    for (const ObjectCount& count : probed.objects) {
        json["namespaces"].push_back({{"kind", info(count.kind).name},
                                      {"made", count.made},
                                      {"seen_gone", count.gone},
                                      {"pending", count.made - count.gone},
                                      {"gone_of_others", count.foreign}});
    }
    json["waits"] = Json::array();
    for (const Wait& wait : probed.waits) {
        json["waits"].push_back({{"what", wait.what},
                                 {"function", kTraced[wait.function].name},
                                 {"calls_per_op", wait.calls},
                                 {"ticks_per_op", wait.ticks}});
    }
    double bytes = 0;
    double freed = 0;
    Json sites = Json::array();
    for (const MemoryRow& row : probed.memory) {
        bytes += row.bytes;
        freed += row.freed;
        if (row.bytes - row.freed < 1) continue;
        sites.push_back({{"kind", kind_name(row.kind)},
                         {"allocator", row.allocator},
                         {"call_site", row.call_site},
                         {"bytes_per_op", row.bytes},
                         {"freed_bytes_per_op", row.freed}});
    }
    json["memory"] = {{"base", probed.memory_base ? Json(to_string(*probed.memory_base)) : Json()},
                      {"bytes_per_op", bytes},
                      {"freed_bytes_per_op", freed},
                      {"not_seen_freed", sites}};
    json["functions"] = Json::object();
    for (const FunctionRow& row : probed.functions) {
        if (!row.times) continue;
        Json& own = json["functions"][std::string(kTraced[row.function].name)];
        own["waiting"] = row.times->waiting;
        own["error_95"] = row.times->error;
    }
    json["calls"] = Json::array();
    for (const CallNode& node : probed.calls) {
        json["calls"].push_back({{"caller", node.caller ? Json(*node.caller) : Json()},
                                 {"function", kTraced[node.function].name},
                                 {"stage", to_string(node.stage)},
                                 {"calls_per_op", node.calls ? Json(*node.calls) : Json()},
                                 {"total", node.total},
                                 {"self", node.self},
                                 {"waiting", node.waiting}});
    }
    return json;
}

Json probe_json(const ProbeReport& report) {
    Json json;
    json["asked"] = report.choice;
    const auto cost = [](const CallCost& c) { return Json{{"inside", c.inside}, {"outside", c.outside}}; };
    json["cost_of_a_traced_call"] = cost(report.cost);
    json["cost_in_a_loop_of_unshare"] = cost(report.cost_of_unshare);
    json["sampling_period"] = report.sampling_period ? Json(*report.sampling_period) : Json();
    json["notes"] = report.notes;
    json["seconds"] = report.seconds;
    json["backends"] = Json::object();
    for (std::size_t i = 0; i < report.backends.size(); ++i) {
        json["backends"][std::string(kTraced[i].name)] = to_string(report.backends[i]);
    }
    json["cases"] = Json::array();
    for (const ProbedCase& probed : report.cases) json["cases"].push_back(probed_json(probed));
    return json;
}

/// What blocks of all classes have alike; null where they differ.
Json of_all(const BlockShapes& shapes, std::uint32_t BlockShape::*part) {
    std::set<std::uint32_t> values;
    for (const auto& [block_class, shape] : shapes) values.insert(shape.*part);
    return values.size() == 1 ? Json(*values.begin()) : Json();
}

Json shapes_json(const BlockShapes& shapes) {
    Json json = Json::object();
    for (const auto& [block_class, shape] : shapes)
        json[info(block_class).name] = {{"lead_in", shape.lead_in}, {"samples", shape.samples}};
    return json;
}

Json measuring_json(const RunInfo& info) {
    // A resumed run adds to what it has read, and its file is to be read again.
    const auto seconds = [](double value) { return std::min(value, kForeverSeconds); };
    const BlockShapes& shapes = info.block_shapes;
    return {{"lead_in_samples", of_all(shapes, &BlockShape::lead_in)},
            {"settle_ms", info.options.idle_before_block().count()},
            {"samples_per_block", of_all(shapes, &BlockShape::samples)},
            {"warm_up_seconds", seconds(info.warm_up_seconds)},
            {"rounds", info.rounds},
            {"max_backlog", kMaxBacklog},
            {"drains", info.drains},
            {"drains_incomplete", info.drains_incomplete},
            {"drained_samples", info.drained_samples},
            {"seconds", seconds(info.seconds)},
            {"interrupted_by_signal", info.interrupted_by},
            {"drain_unseen", info.drain_unseen ? Json(info.drain_unseen->reason) : Json()},
            {"block_shapes", shapes_json(shapes)},
            {"blocks_in_round", info.blocks_in_round},
            {"headline_rounds", info.headline_rounds},
            {"sample_lines", info.sample_lines ? Json(*info.sample_lines) : Json()}};
}

/// By which rule rounds were labelled, what is known of them, and what has come of it.
Json disturbance_json(const RunInfo& info) {
    constexpr DisturbanceRule rule = kDisturbanceRule;
    const auto seconds = [](std::int64_t microseconds) { return static_cast<double>(microseconds) / 1e6; };
    Json json;
    json["rule"] = {{"suspended_above_s", 0},
                    {"moved_above", 0},
                    {"throttles_above", 0},
                    {"steal_above_share", rule.steal},
                    {"steal_least_s", seconds(rule.least_steal)},
                    {"others_above_share", rule.others},
                    {"others_least_s", seconds(rule.least_others)},
                    {"waited_above_share", rule.waited},
                    {"frequency_below_median_by_share", rule.frequency}};
    json["markers"] = Json::object();
    for (const MarkerSource& source : info.marker_sources) {
        json["markers"][std::string(source.column)] = {
            {"from", source.unknown.empty() ? Json(source.from) : Json()},
            {"unknown", source.unknown.empty() ? Json() : Json(source.unknown)}};
    }
    json["rounds"] = info.marks.size();
    json["disturbed"] = Json::object();
    for (const auto& [name, count] : count_by_disturber(info.marks))
        json["disturbed"][std::string(name)] = count;
    json["left_out"] = info.row_context().left_out.size();
    json["kept_whole"] = info.kept_whole;
    return json;
}

}  // namespace

Json environment_json(const RunStart& start) {
    Json environment = Json::object();
    for (const env::Fact& fact : start.environment) environment[fact.key] = fact.value;
    return environment;
}

Json capabilities_json(const std::optional<Capabilities>& capabilities) {
    return capabilities ? Json(fmt::format("{:016x}", *capabilities)) : Json();
}

Json findings_json(const RunStart& start) {
    Json findings = Json::array();
    for (const env::Finding& finding : start.findings) {
        findings.push_back({{"id", finding.id},
                            {"severity", env::to_string(finding.severity)},
                            {"observed", finding.observed},
                            {"effect", finding.effect},
                            {"remedy", finding.remedy}});
    }
    return findings;
}

std::string run_json(const RunInfo& info) {
    Json json;
    json["schema_version"] = kSchemaVersion;
    json["nsbench_version"] = info.version;
    json["run_id"] = info.identity.run_id;
    json["started"] = info.started;
    json["kernel"] = info.identity.kernel;
    json["clock"] = nsb::info(info.identity.clock).name;
    json["unit"] = info.identity.unit();
    json["state"] = info.identity.state.empty() ? Json() : Json(info.identity.state);
    json["arguments"] = info.arguments;
    json["options"] = options_json(info.options);
    json["repeat"] = info.repeat ? repeat_json(*info.repeat) : Json();
    json["in_userns"] = info.in_userns;
    json["base_set"] = to_string(info.base_set);
    json["warnings"] = info.warnings;

    json["environment"] = environment_json(info);
    json["findings"] = findings_json(info);
    json["sampler"] = {{"resident_bytes", info.sampler_resident_bytes},
                       {"mappings", info.sampler_mappings},
                       {"cpus", info.sampler_cpus},
                       {"capabilities", capabilities_json(info.sampler_capabilities)}};
    json["overhead"] = {{"clock_read", info.clock_read_ticks}, {"loop", info.loop_ticks}};
    json["measuring"] = measuring_json(info);
    json["disturbance"] = disturbance_json(info);
    json["runtimes"] = runtimes_json(info);
    json["probe"] = info.probe                    ? probe_json(*info.probe)
                    : !info.earlier_probe.empty() ? Json::parse(info.earlier_probe)
                                                  : Json("off");
    change_strings(json, as_utf8);
    return json.dump(2) + "\n";
}

}  // namespace nsb::run
