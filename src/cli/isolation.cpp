// The commands verify and exec: namespaces to look at and to use.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "isolate/verdicts.h"
#include "run/runner.h"

namespace nsb::cli {
namespace {

/// Why no namespace can be made here, and which setting to change.
run::NotPermitted not_permitted(const isolate::NotMade& error) {
    for (const env::Finding& finding : env::examine()) {
        if (finding.id != "user_namespaces" || finding.remedy.empty()) continue;
        return run::NotPermitted(fmt::format("{}: {} → {}", error.what(), finding.observed, finding.remedy));
    }
    return run::NotPermitted(fmt::format("{}; nsbench doctor says what stands in the way", error.what()));
}

std::string shown(const NamespaceOptions& options, const std::vector<isolate::Result>& results) {
    if (options.format == "csv") return isolate::verdict_csv(results);
    if (options.format == "json") return isolate::verdict_json(results);
    return isolate::verdict_table(results, use_colour());
}

}  // namespace

int run_verify(const Options& options) {
    const NamespaceOptions& chosen = options.namespaces;
    const auto verify = [&] {
        const auto results = isolate::verify({chosen.set, chosen.left_out});
        print(shown(chosen, results));
        const bool has_failed = std::any_of(
            results.begin(), results.end(),
            [](const isolate::Result& result) { return result.verdict.outcome == isolate::Outcome::failed; });
        return has_failed ? kFailed : kMeasured;
    };
    try {
        return chosen.left_out.empty() ? verify() : isolate::in_sandbox(verify);
    } catch (const isolate::NotMade& error) {
        throw not_permitted(error);
    }
}

int run_exec(const Options&) {
    return kUsage;
}

}  // namespace nsb::cli
