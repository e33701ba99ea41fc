#include "run/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>

#include "core/digest.h"
#include "core/text.h"
#include "run/filter.h"
#include "run/limits.h"

namespace nsb::run {
namespace {

constexpr std::array<std::uint64_t, 8> kStackSweep{16ULL << 10U, 64ULL << 10U, 256ULL << 10U, 1ULL << 20U,
                                                   4ULL << 20U,  8ULL << 20U,  16ULL << 20U,  64ULL << 20U};

using Values = std::map<Parameter, std::vector<std::uint64_t>>;

/// All 256 sets: first none, then the single kinds, the pairs, …
std::vector<KindSet> all_sets() {
    std::vector<KindSet> sets;
    for (int bits = 0; bits < KindSet::kCount; ++bits) sets.emplace_back(static_cast<std::uint8_t>(bits));
    std::stable_sort(sets.begin(), sets.end(), [](KindSet a, KindSet b) { return a.size() < b.size(); });
    return sets;
}

std::vector<KindSet> sets_of(const OperationInfo& operation, const Selection& selection) {
    const bool by_name = std::find(selection.operations.begin(), selection.operations.end(),
                                   operation.operation) != selection.operations.end();
    std::vector<KindSet> sets;
    const bool headlines_alone =
        selection.extent == Extent::quick || (selection.curve && selection.sets.empty());
    static const std::vector<KindSet> kAll = all_sets();
    for (const KindSet set : kAll) {
        const bool asked =
            std::find(selection.sets.begin(), selection.sets.end(), set) != selection.sets.end();
        if (!asked && !selection.sets.empty()) continue;
        // Naming both the operation and the set reaches beyond the plan: setns into several kinds, for one.
        if (!operation.takes(set) || !((asked && by_name) || operation.by_default(set))) continue;
        if (headlines_alone && !is_headline(Case::of(operation.operation, set), {})) continue;
        sets.push_back(set);
    }
    return sets;
}

/// Whether a set leaves no choice of a parameter: a namespace file is of one kind, and only a container with
/// a mount namespace has a way to it.
constexpr bool is_fixed(Parameter parameter, KindSet set) {
    return (parameter == Parameter::join_via && set.size() > 1) ||
           (parameter == Parameter::mntns && !set.contains(Kind::mnt));
}

/// The plan's own values of a parameter, where it has more than the default one. `defaults_alone`: of a plan
/// that has no others.
std::vector<std::uint64_t> planned_values(Operation operation, KindSet set, Parameter parameter,
                                          bool defaults_alone) {
    if (parameter == compared(operation)) {
        std::vector<std::uint64_t> all(info(parameter).choices().size());
        std::iota(all.begin(), all.end(), 0);
        return all;
    }
    const auto pidfd = static_cast<std::uint64_t>(JoinVia::pidfd);
    if (parameter == Parameter::join_via && set.size() > 1)
        return {pidfd};  // a namespace file is of one kind
    if (defaults_alone) return {info(parameter).initial};
    if (parameter == Parameter::stack && info(operation).swept(set))
        return {kStackSweep.begin(), kStackSweep.end()};
    if (parameter == Parameter::join_via) return {static_cast<std::uint64_t>(JoinVia::nsfd), pidfd};
    return {info(parameter).initial};
}

/// Multiplies `cases` by the values of each parameter of `operation`. Nothing where these are more than
/// kMostCases.
std::optional<std::vector<Case>> expand(Operation operation, KindSet set, const Values& replaced,
                                        bool defaults_alone) {
    std::vector<Case> cases{Case::of(operation, set)};
    for (std::size_t i = 0; i < kParameters; ++i) {
        const auto parameter = static_cast<Parameter>(i);
        if (!info(operation).parameters.contains(parameter)) continue;
        const auto own = replaced.find(parameter);
        const std::vector<std::uint64_t> values =
            own != replaced.end() && !is_fixed(parameter, set)
                ? own->second
                : planned_values(operation, set, parameter, defaults_alone);
        std::vector<Case> expanded;
        expanded.reserve(std::min(cases.size() * values.size(), kMostCases));
        for (const Case& c : cases) {
            for (const std::uint64_t value : values) {
                if (expanded.size() == kMostCases) return std::nullopt;
                expanded.push_back(c.with(parameter, value));
            }
        }
        cases = std::move(expanded);
    }
    return cases;
}

/// Reads the typed values. A key that two parameters share ("via") takes the values of either.
tl::expected<Values, std::string> parse_values(const Selection& selection) {
    Values values;
    for (const auto& [key, texts] : selection.values) {
        for (const std::string& text : texts) {
            bool known_key = false;
            bool accepted = false;
            std::string error;
            for (std::size_t i = 0; i < kParameters; ++i) {
                const auto parameter = static_cast<Parameter>(i);
                if (info(parameter).key != key) continue;
                known_key = true;
                const auto value = parse_value(parameter, text);
                if (value) {
                    values[parameter].push_back(*value);
                    accepted = true;
                } else {
                    error += (error.empty() ? "" : ", or ") + value.error();
                }
            }
            if (!known_key) {
                return tl::unexpected(fmt::format("'{}' is no parameter (one of {}){}", key,
                                                  fmt::join(parameter_keys(), ", "),
                                                  nearest_hint(key, parameter_keys())));
            }
            if (!accepted) return tl::unexpected(fmt::format("{} '{}': {}", key, text, error));
        }
    }
    return values;
}

/// Adds the levels of the curve. The error says that they go with nothing else of the selection.
tl::expected<void, std::string> add_levels(const Selection& selection, Values& values) {
    if (!selection.curve) return {};
    const Parameter parameter = selection.curve->parameter;
    const std::string_view key = info(parameter).key;
    if (values.contains(parameter))
        return tl::unexpected(
            fmt::format("--curve has the values of {0} already: leave out --{0} or "
                        "--with={0}:...",
                        key));
    for (const Operation named : selection.operations) {
        if (info(named).parameters.contains(parameter)) continue;
        std::vector<std::string_view> with;
        for (const OperationInfo& one : kOperations) {
            if (one.parameters.contains(parameter)) with.push_back(one.name);
        }
        return tl::unexpected(fmt::format("--curve={}: {} has no {}; those with it are {}",
                                          to_string(*selection.curve), info(named).name, key,
                                          fmt::join(with, ", ")));
    }
    values[parameter] = levels_of(*selection.curve);
    return {};
}

/// The cases named one by one. A recorded run may say of which curve they are: the lab's, where each case has
/// a machine of its own.
tl::expected<std::vector<Case>, std::string> parse_cases(const Selection& selection) {
    if (selection.filter || !selection.operations.empty() || !selection.sets.empty() ||
        !selection.values.empty() || selection.extent == Extent::quick) {
        return tl::unexpected<std::string>(
            "--case names whole cases: no other option that selects goes with it");
    }
    std::vector<Case> plan;
    std::set<Case> seen;
    for (const std::string& id : selection.cases) {
        const auto c = parse_case(id);
        if (!c) return tl::unexpected(fmt::format("case '{}': {}", id, c.error()));
        if (seen.insert(*c).second) plan.push_back(*c);
    }
    return plan;
}

}  // namespace

std::vector<std::string_view> parameter_keys() {
    std::vector<std::string_view> keys;
    for (const ParameterInfo& parameter : kParameterTable) {
        if (std::find(keys.begin(), keys.end(), parameter.key) == keys.end()) keys.push_back(parameter.key);
    }
    return keys;
}

namespace {

/// The cases that the filter leaves. Nothing where these are more than kMostCases, or those of one set are
/// that it chooses from.
std::optional<std::vector<Case>> plan_of(const Selection& selection, const Values& values,
                                         const std::optional<Filter>& filter) {
    const bool defaults_alone = selection.extent == Extent::quick || selection.curve;
    std::vector<Case> plan;
    std::set<Case> seen;
    for (const OperationInfo& operation : kOperations) {
        const bool chosen = selection.operations.empty()
                                ? operation.planned
                                : std::find(selection.operations.begin(), selection.operations.end(),
                                            operation.operation) != selection.operations.end();
        if (!chosen) continue;
        if (selection.curve && !operation.parameters.contains(selection.curve->parameter)) continue;
        for (const KindSet set : sets_of(operation, selection)) {
            const auto cases = expand(operation.operation, set, values, defaults_alone);
            if (!cases) return std::nullopt;
            for (const Case& c : *cases) {
                if (filter && filter->finds(to_string(c)) == selection.filter_leaves_out) continue;
                if (seen.insert(c).second) plan.push_back(c);
                if (plan.size() > kMostCases) return std::nullopt;
            }
        }
    }
    return plan;
}

tl::expected<std::vector<Case>, std::string> choose(const Selection& selection) {
    auto values = parse_values(selection);
    if (!values) return tl::unexpected(values.error());
    if (const auto added = add_levels(selection, *values); !added) return tl::unexpected(added.error());
    std::optional<Filter> filter;
    std::optional<std::vector<Case>> made;
    try {
        if (selection.filter) filter.emplace(*selection.filter);
    } catch (const boost::regex_error& error) {
        // What follows shows the place by >>>HERE>>>.
        const std::string_view all = error.what();
        return tl::unexpected(fmt::format("filter '{}': not a regular expression: {}", *selection.filter,
                                          all.substr(0, all.find("  "))));
    }
    try {
        made = plan_of(selection, *values, filter);
    } catch (const Filter::TooManyWays&) {
        return tl::unexpected(fmt::format(
            "filter '{}': it may fit an id in too many ways to try them all: use fewer *, + and {{n}}",
            *selection.filter));
    }
    if (!made) {
        return tl::unexpected(
            fmt::format("more than {} cases to choose from: fewer values, sets or operations", kMostCases));
    }
    std::vector<Case> plan = std::move(*made);
    if (plan.empty()) {
        const std::string filter_text =
            selection.filter ? fmt::format(" --filter={}", *selection.filter) : "";
        const std::string_view quick = selection.extent == Extent::quick ? " --quick" : "";
        return tl::unexpected(
            fmt::format("no case matches{0}{1}: 'nsbench list{0}' prints the ids that --filter, --op and "
                        "--ns choose from",
                        quick, filter_text));
    }
    return plan;
}

}  // namespace

tl::expected<std::vector<Case>, std::string> make_plan(const Selection& selection) {
    if (!selection.cases.empty()) return parse_cases(selection);
    if (selection.filter && selection.filter->size() > kLongestFilter) {
        return tl::unexpected(fmt::format("a filter of {} bytes: at most {} are taken",
                                          selection.filter->size(), kLongestFilter));
    }
    return choose(selection);
}

}  // namespace nsb::run
