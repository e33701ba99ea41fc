#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include <nlohmann/json.hpp>

#include "core/text.h"
#include "core/utf8.h"
#include "run/limits.h"
#include "run/recorded.h"
#include "run/store.h"

namespace nsb::run {
namespace {

using Json = nlohmann::ordered_json;

/// A value of the file with the way to it, such as options.selection.op[0].
class Member {
  public:
    Member(const Json& json, std::string path) : json_(json), path_(std::move(path)) {}

    [[nodiscard]] Member at(const std::string& name) const {
        if (!has(name)) throw Wrong{path_of(name) + ": missing; not a run of this version of nsbench"};
        return {json_[name], path_of(name)};
    }
    /// For what an earlier nsbench did not write.
    [[nodiscard]] bool has(const std::string& name) const {
        if (!json_.is_object()) refuse("is no object");
        return json_.contains(name);
    }
    /// Of a member that an earlier nsbench did not write.
    [[nodiscard]] std::optional<Member> find(const std::string& name) const {
        if (!json_.is_object() || !json_.contains(name)) return std::nullopt;
        return at(name);
    }
    [[nodiscard]] bool is_null() const { return json_.is_null(); }
    [[nodiscard]] bool is_object() const { return json_.is_object(); }
    [[nodiscard]] bool is_text() const { return json_.is_string(); }

    [[nodiscard]] std::string text() const {
        if (!json_.is_string()) refuse("is no text");
        return from_utf8(json_.get_ref<const std::string&>());
    }
    [[nodiscard]] bool flag() const {
        if (!json_.is_boolean()) refuse("is neither true nor false");
        return json_.get<bool>();
    }
    [[nodiscard]] std::uint64_t whole(Range range) const {
        if (!json_.is_number_unsigned() || !range.contains(json_.get<std::uint64_t>()))
            refuse(fmt::format("is not a whole number from {} to {}", range.low, range.high));
        return json_.get<std::uint64_t>();
    }
    template <typename Number>
    [[nodiscard]] Number whole_as(Range range) const {
        return static_cast<Number>(whole(range));
    }
    [[nodiscard]] double number(double low, double high) const {
        const double value = json_.is_number() ? json_.get<double>() : std::nan("");
        if (!(value >= low && value <= high)) refuse(fmt::format("is not a number from {} to {}", low, high));
        return value;
    }

    [[nodiscard]] std::vector<Member> elements() const {
        if (!json_.is_array()) refuse("is no array");
        std::vector<Member> all;
        for (std::size_t i = 0; i < json_.size(); ++i)
            all.emplace_back(json_[i], fmt::format("{}[{}]", path_, i));
        return all;
    }
    [[nodiscard]] std::vector<std::pair<std::string, Member>> members() const {
        if (!json_.is_object()) refuse("is no object");
        std::vector<std::pair<std::string, Member>> all;
        for (const auto& [name, value] : json_.items())
            all.emplace_back(name, Member(value, fmt::format("{}.{}", path_, name)));
        return all;
    }
    [[nodiscard]] std::vector<std::string> texts() const {
        std::vector<std::string> all;
        for (const Member& element : elements()) all.push_back(element.text());
        return all;
    }

    /// As it stands there.
    [[nodiscard]] std::string json() const { return json_.dump(); }

    /// What a parser made of its text.
    template <typename T>
    [[nodiscard]] T accept(tl::expected<T, std::string> parsed) const {
        if (!parsed) refuse("is not accepted: " + parsed.error());
        return *parsed;
    }

    [[noreturn]] void refuse(std::string_view why) const {
        const std::string value = json_.is_string()       ? shown(json_.get<std::string>())
                                  : json_.is_structured() ? "what stands there"
                                                          : json_.dump();
        throw Wrong{fmt::format("{}{}{} {}", path_, path_.empty() ? "" : ": ", value, why)};
    }

  private:
    [[nodiscard]] std::string path_of(const std::string& name) const {
        return path_.empty() ? name : fmt::format("{}.{}", path_, name);
    }

    const Json& json_;
    std::string path_;
};

constexpr Range kAny{0, std::numeric_limits<std::uint64_t>::max()};

Selection parse_selection(const Member& json) {
    Selection selection;
    selection.cases = json.at("cases").texts();
    if (!json.at("filter").is_null()) selection.filter = json.at("filter").text();
    for (const Member& name : json.at("op").elements())
        selection.operations.push_back(name.accept(parse_operation(name.text())));
    for (const Member& set : json.at("ns").elements())
        selection.sets.push_back(set.accept(parse_set(set.text())));
    for (const auto& [key, values] : json.at("with").members()) selection.values[key] = values.texts();
    if (const auto curve = json.find("curve"); curve && !curve->is_null())
        selection.curve = curve->accept(parse_curve(curve->text()));
    // An earlier nsbench measured all cases alike.
    selection.extent = Extent::full;
    if (const auto plan = json.find("plan")) {
        const auto at = std::ranges::find(kExtentNames, plan->text());
        if (at == kExtentNames.end()) plan->refuse("is none of default, quick and full");
        selection.extent = static_cast<Extent>(at - kExtentNames.begin());
    }
    return selection;
}

TickClock parse_clock(const Member& json) {
    const auto clock = parse_tick_clock(json.text());
    if (!clock) json.refuse(fmt::format("is no clock: accepted is {}", kTickClockNames));
    return *clock;
}

std::chrono::nanoseconds parse_seconds(const Member& json, double least) {
    const double ns = std::round(json.number(least, kForeverSeconds) * 1e9);
    return std::chrono::nanoseconds(static_cast<std::int64_t>(ns));
}

RunOptions parse_options(const Member& json) {
    RunOptions options;
    options.selection = parse_selection(json.at("selection"));
    options.budget.reset();
    if (const Member budget = json.at("budget_s"); !budget.is_null())
        options.budget = parse_seconds(budget, 1e-9);
    options.precision = json.at("precision").number(0, kWorstPrecision);
    if (options.precision == 0) json.at("precision").refuse("is not above 0");
    if (const Member samples = json.at("samples"); !samples.is_null())
        options.samples = samples.whole_as<std::uint32_t>(kSamples);
    if (!options.samples && !options.budget)
        json.at("budget_s").refuse("beside no samples: a run has an end");
    if (const Member lead_in = json.at("lead_in"); !lead_in.is_null())
        options.lead_in = lead_in.whole_as<std::uint32_t>(kLeadIn);
    if (const Member block = json.at("block"); !block.is_null())
        options.block = block.whole_as<std::uint32_t>(kBlock);
    options.alone = json.at("alone").flag();
    options.seed = json.at("seed").whole(kSeed);
    if (const Member cpu = json.at("cpu"); !cpu.is_text()) {
        options.cpu = cpu.whole_as<int>(kCpu);
    } else if (cpu.text() != "any") {
        cpu.refuse("is neither any nor a CPU");
    }
    options.clock = parse_clock(json.at("clock"));
    if (const auto disturbed = json.find("disturbed")) {
        const auto at = std::ranges::find(kDisturbedNames, disturbed->text());
        if (at == kDisturbedNames.end()) disturbed->refuse("is neither keep nor drop");
        options.disturbed = static_cast<Disturbed>(at - kDisturbedNames.begin());
    }
    return options;
}

report::RunIdentity parse_identity(const Member& json) {
    report::RunIdentity identity{json.at("run_id").text(), json.at("kernel").text(),
                                 parse_clock(json.at("clock"))};
    if (!is_name(identity.run_id)) json.at("run_id").refuse("is not a name of letters, digits and . _ -");
    if (json.at("unit").text() != identity.unit())
        json.at("unit").refuse(fmt::format("is not {}, the unit of the clock", shown(identity.unit())));
    if (const Member clock = json.at("options").at("clock"); clock.text() != info(identity.clock).name)
        clock.refuse("is another clock than the run's");
    if (const Member state = json.at("state"); !state.is_null()) {
        identity.state = state.text();
        if (!is_name(identity.state)) state.refuse("is not a name of letters, digits and . _ -");
    }
    return identity;
}

Repeat parse_repeat(const Member& json) {
    Repeat repeat;
    repeat.count = json.at("count").whole_as<std::uint32_t>(kRepeats);
    if (const Member number = json.at("number"); !number.is_null())
        repeat.number = number.whole_as<std::uint32_t>({1, repeat.count});
    repeat.apart = parse_seconds(json.at("apart_s"), 0);
    repeat.complete = json.at("complete").flag();
    return repeat;
}

BlockShapes parse_shapes(const Member& json) {
    BlockShapes shapes;
    for (const auto& [name, shape] : json.members()) {
        const auto known = std::ranges::find(kBlockClasses, name, &BlockClassInfo::name);
        if (known == kBlockClasses.end())
            json.refuse(fmt::format("has {}, which is no class of blocks", shown(name)));
        shapes[known->block_class] = {shape.at("lead_in").whole_as<std::uint32_t>(kLeadIn),
                                      shape.at("samples").whole_as<std::uint32_t>(kBlock)};
    }
    return shapes;
}

void parse_measuring(const Member& json, RunInfo& info) {
    info.rounds = json.at("rounds").whole_as<std::uint32_t>(kRounds);
    info.warm_up_seconds = json.at("warm_up_seconds").number(0, kForeverSeconds);
    info.seconds = json.at("seconds").number(0, kForeverSeconds);
    if (const Member unseen = json.at("drain_unseen"); !unseen.is_null())
        info.drain_unseen = Unseen{EPERM, unseen.text()};
    info.drains = json.at("drains").whole_as<std::uint32_t>(kRounds);
    info.drained_samples = json.at("drained_samples").whole(kAny);
    // An earlier nsbench chose lengths by how fast the warm-up was, and says only one of them.
    if (json.has("block_shapes")) {
        info.block_shapes = parse_shapes(json.at("block_shapes"));
        info.blocks_in_round = json.at("blocks_in_round").whole_as<std::uint32_t>(kBlocksInRound);
    }
    if (const auto headlines = json.find("headline_rounds"))
        info.headline_rounds = headlines->whole_as<std::uint32_t>({0, info.rounds});
    if (const auto lines = json.find("sample_lines"); lines && !lines->is_null())
        info.sample_lines = lines->whole(kAny);
    info.drains_incomplete = json.at("drains_incomplete").whole_as<std::uint32_t>({0, info.drains});
}

KindSet parse_base_set(const Member& json, bool in_userns) {
    const std::string text = json.text();
    for (const KindSet set : {KindSet{}, base_set(in_userns)}) {
        if (text == to_string(set)) return set;
    }
    json.refuse("is not what such a run compares with");
}

RunInfo parse_info(const Member& json) {
    const Member version = json.at("schema_version");
    if (version.whole(kAny) != kSchemaVersion)
        version.refuse(fmt::format("is another version; this nsbench knows {}", kSchemaVersion));
    RunInfo info;
    info.identity = parse_identity(json);
    info.started = json.at("started").text();
    info.arguments = json.at("arguments").texts();
    info.options = parse_options(json.at("options"));
    info.version = json.at("nsbench_version").text();
    info.warnings = json.at("warnings").texts();
    for (const auto& [key, value] : json.at("environment").members())
        info.environment.push_back({key, value.text()});
    info.sampler_resident_bytes = json.at("sampler").at("resident_bytes").whole(kAny);
    info.sampler_mappings = json.at("sampler").at("mappings").whole(kAny);
    for (const Member& cpu : json.at("sampler").at("cpus").elements())
        info.sampler_cpus.push_back(cpu.whole_as<int>(kCpu));
    if (const auto kept = json.at("sampler").find("capabilities"); kept && !kept->is_null()) {
        info.sampler_capabilities = parse_capabilities(kept->text());
        if (!info.sampler_capabilities) kept->refuse("is no hexadecimal number");
    }
    info.clock_read_ticks = json.at("overhead").at("clock_read").number(0, kMostTicks);
    info.loop_ticks = json.at("overhead").at("loop").number(0, kMostTicks);
    info.in_userns = json.at("in_userns").flag();
    // An earlier nsbench compared with none.
    if (json.has("base_set")) info.base_set = parse_base_set(json.at("base_set"), info.in_userns);
    if (json.has("repeat") && !json.at("repeat").is_null()) info.repeat = parse_repeat(json.at("repeat"));
    parse_measuring(json.at("measuring"), info);
    if (const auto probe = json.find("probe"); probe && probe->is_object())
        info.earlier_probe = probe->json();
    if (const auto runtimes = json.find("runtimes"); runtimes && !runtimes->elements().empty())
        info.earlier_runtimes = runtimes->json();
    return info;
}

/// Where in the text the parser stopped, as line:column, and why.
std::string explain(const Json::parse_error& error, const std::string& text) {
    const std::size_t at = std::min(error.byte == 0 ? 0 : error.byte - 1, text.size());
    const auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1;
    const std::size_t newline = at == 0 ? std::string::npos : text.rfind('\n', at - 1);
    const std::size_t column = newline == std::string::npos ? at + 1 : at - newline;
    const std::string found = at < text.size() ? shown(text.substr(at, 1)) : "the end of the file";
    return fmt::format("{}:{}: not JSON: {} does not belong there", line, column, found);
}

}  // namespace

tl::expected<RunInfo, std::string> parse_run_json(const std::string& text, std::string_view name) {
    try {
        const Json json = Json::parse(text);
        return parse_info(Member(json, ""));
    } catch (const Wrong& wrong) {
        return tl::unexpected(fmt::format("{}: {}", name, printable(wrong.what)));
    } catch (const Json::parse_error& error) {
        return tl::unexpected(fmt::format("{}:{}", name, explain(error, text)));
    } catch (const Json::exception& error) {  // a number that is too large for a double
        return tl::unexpected(fmt::format("{}: not JSON of ours: {}", name, shown(error.what())));
    }
}

}  // namespace nsb::run
