#include "cli/verbose.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "run/sampler.h"

namespace nsb::cli {
namespace {

/// "none 8+16, light 6+4".
std::string shapes(const run::BlockShapes& block_shapes) {
    std::string text;
    for (const auto& [block_class, shape] : block_shapes) {
        text += fmt::format("{}{} {}+{}", text.empty() ? "" : ", ", run::info(block_class).name,
                            shape.lead_in, shape.samples);
    }
    return text;
}

std::string end_of(const run::RunOptions& options) {
    const std::string budget =
        options.budget ? fmt::format("after {:g} s", std::chrono::duration<double>(*options.budget).count())
                       : "without a budget";
    return options.samples ? fmt::format("with {} samples of each case, {}", *options.samples, budget)
                           : fmt::format("with each phase of each case within {:.3g}%, or {}",
                                         100 * options.precision, budget);
}

}  // namespace

std::string verbose_lines(const run::RunInfo& info) {
    std::string text = fmt::format(
        "ends: {}\n"
        "blocks: {} (samples that lead in + counted ones, by what a case leaves to the kernel), {} of each "
        "case "
        "in a round\n"
        "seed: {} (--seed={} gives the same order again)\n"
        "sampler: {}; {}\n",
        end_of(info.options), shapes(info.block_shapes), info.blocks_in_round, info.options.seed,
        info.options.seed, run::find_sampler().native(),
        info.in_userns
            ? "in a user namespace, since this user may make no others: each set but none has NEWUSER"
            : "as this user, without a user namespace");
    if (info.sampler_capabilities) {
        const std::string kept = names_of(*info.sampler_capabilities);
        text += fmt::format("it keeps: {}\n", kept.empty() ? "no capability" : kept);
    }
    for (const env::Fact& fact : info.environment) text += fmt::format("{}: {}\n", fact.key, fact.value);
    for (const env::Finding& finding : info.findings) {
        if (finding.severity == env::Severity::note)  // what is worse is said in any case
            text += fmt::format("note: {}: {}: {}\n", finding.id, finding.observed, finding.effect);
    }
    return text;
}

}  // namespace nsb::cli
