// The digest as JSON: results/README.md describes its members. New ones go behind those that are there.
#include <nlohmann/json.hpp>

#include "core/utf8.h"
#include "report/digest.h"

namespace nsb::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kDigestVersion = 1;

Json text_or_null(const std::string& text) {
    return text.empty() ? Json() : Json(text);
}

Json interval_json(const std::optional<Interval>& interval) {
    return interval ? Json{{"low", interval->low}, {"high", interval->high}} : Json();
}

void put(Json& json, const std::optional<Quantity>& figure) {
    json["value"] = figure ? Json(figure->value) : Json();
    json["interval_95"] = figure ? interval_json(figure->ci) : Json();
    json["resolution"] = figure && figure->resolution ? Json(*figure->resolution) : Json();
}

Json kinds_json(KindSet kinds) {
    Json json = Json::array();
    for (const KindInfo& kind : kKinds) {
        if (kinds.contains(kind.kind)) json.push_back(kind.flag);
    }
    return json;
}

Json entry_json(const DigestEntry& entry) {
    Json json;
    json["case"] = to_string(entry.measured);
    json["kinds"] = kinds_json(entry.kinds);
    put(json, entry.figure);
    json["status"] = to_string(entry.status);
    json["errno"] = text_or_null(entry.error);
    json["reason"] = text_or_null(entry.reason);
    return json;
}

Json sum_json(const SetSum& sum) {
    return {{"case", to_string(sum.measured)}, {"kinds", kinds_json(sum.kinds)}, {"adds", sum.added},
            {"beside_the_sum", sum.gap},       {"low", sum.range.low},           {"high", sum.range.high}};
}

Json sums_json(const SetSums& sums) {
    Json json;
    json["shared_by_two_kinds"] = Json();
    if (sums.shared) {
        json["shared_by_two_kinds"] = {{"value", sums.shared->saving},
                                       {"interval_95", interval_json(sums.shared->ci)},
                                       {"pairs", sums.shared->pairs}};
    }
    json["sets"] = sums.compared;
    json["following"] = sums.following;
    json["not_following"] = Json::array();
    for (const SetSum& sum : sums.off) json["not_following"].push_back(sum_json(sum));
    json["all_kinds"] = sums.all ? sum_json(*sums.all) : Json();
    return json;
}

Json block_json(const DigestBlock& block) {
    Json json;
    json["operation"] = info(block.operation).name;
    json["phase"] = info(block.phase).name;
    json["figure"] = block.base ? "adds" : "takes";
    json["base"] = block.base ? Json(to_string(*block.base)) : Json();
    json["entries"] = Json::array();
    for (const DigestEntry& entry : block.entries) json["entries"].push_back(entry_json(entry));
    json["left_out"] = block.left_out;
    json["sums"] = block.sums ? sums_json(*block.sums) : Json();
    return json;
}

Json missing_json(const Missing& missing) {
    return {{"status", to_string(missing.status)},
            {"phase", missing.phase ? Json(info(*missing.phase).name) : Json()},
            {"cases", missing.cases},
            {"errno", text_or_null(missing.error)},
            {"reason", text_or_null(missing.reason)}};
}

Json base_json(const BaseFigure& base) {
    Json json;
    json["case"] = to_string(base.measured);
    json["phase"] = info(base.phase).name;
    put(json, base.figure);
    json["cases"] = base.cases;
    json["least"] = base.medians.low;
    json["largest"] = base.medians.high;
    return json;
}

}  // namespace

std::string digest_json(const DigestRun& run, const Digest& digest) {
    Json json;
    json["digest_version"] = kDigestVersion;
    json["nsbench_version"] = run.version;
    json["run_id"] = run.identity.run_id;
    json["kernel"] = run.identity.kernel;
    json["machine"] = run.machine;
    json["clock"] = info(run.identity.clock).name;
    json["unit"] = run.identity.unit();
    json["state"] = text_or_null(run.identity.state);
    json["repeats"] = run.repeats;
    json["rounds"] = run.rounds;
    json["seconds"] = run.seconds;
    json["seed"] = run.seed;
    json["precision"] = run.precision;
    json["cases"] = digest.cases;
    json["precise"] = digest.precise;
    json["operations"] = Json::array();
    for (const DigestBlock& block : digest.blocks) json["operations"].push_back(block_json(block));
    json["bases"] = Json::array();
    for (const BaseFigure& base : digest.bases) json["bases"].push_back(base_json(base));
    json["missing"] = Json::array();
    for (const Missing& missing : digest.missing) json["missing"].push_back(missing_json(missing));
    json["warnings"] = run.warnings;
    json["shown"] = digest.shown;
    json["interrupted_by"] = run.interrupted_by == 0 ? Json() : Json(run.interrupted_by);
    change_strings(json, as_utf8);
    return json.dump(2) + "\n";
}

}  // namespace nsb::report
