#include "run/repeats.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/repeats.h"
#include "run/limits.h"

namespace nsb::run {
namespace {

/// Of what is counted once a round; more could not be read again.
std::uint32_t sum(std::uint64_t one, std::uint64_t other) {
    return static_cast<std::uint32_t>(std::min(one + other, kRounds.high));
}

/// What disturbed a repeat's rounds, which are counted on from those of the repeats before it.
void add_marks(RunInfo& all, const RunInfo& one) {
    for (RoundMarks marks : one.marks) {
        marks.round = sum(marks.round, all.rounds);
        all.marks.push_back(marks);
    }
    all.marker_sources = one.marker_sources;
    for (const std::string& kept : one.kept_whole) {
        if (std::ranges::find(all.kept_whole, kept) == all.kept_whole.end()) all.kept_whole.push_back(kept);
    }
}

/// Of one at least.
RunInfo describe(const RunStart& whole, const Repeats& repeats) {
    RunInfo all{whole, repeats.infos.back(), Totals{}, {}, std::nullopt};
    for (const RunInfo& one : repeats.infos) {
        all.warn(one.warnings);
        if (!one.runtimes.empty()) all.runtimes = one.runtimes;
        if (!one.earlier_runtimes.empty()) all.earlier_runtimes = one.earlier_runtimes;
        if (one.drain_unseen) all.drain_unseen = one.drain_unseen;
        all.drains = sum(all.drains, one.drains);
        all.drains_incomplete = sum(all.drains_incomplete, one.drains_incomplete);
        all.drained_samples += one.drained_samples;
        add_marks(all, one);
        all.rounds = sum(all.rounds, one.rounds);
        all.headline_rounds = sum(all.headline_rounds, one.headline_rounds);
        all.block_shapes = one.block_shapes;
        all.blocks_in_round = one.blocks_in_round;
        all.warm_up_seconds += one.warm_up_seconds;
        all.seconds += one.seconds;
        if (one.interrupted_by != 0) all.interrupted_by = one.interrupted_by;
    }
    const auto is_complete = [](const RunInfo& one) { return one.repeat && one.repeat->complete; };
    all.repeat->complete =
        repeats.size() == all.repeat->count && std::ranges::all_of(repeats.infos, is_complete);
    return all;
}

}  // namespace

std::string name_of_repeat(std::uint32_t number) {
    return fmt::format("repeat-{}", number);
}

std::string id_of_repeat(const RunStart& whole, std::uint32_t number) {
    return fmt::format("{}.{}", whole.identity.run_id, number);
}

std::uint64_t seed_of_repeat(std::uint64_t seed, std::uint32_t number) {
    return seed + number - 1;  // the largest is followed by 0
}

RunStart start_of_repeat(const RunStart& whole, const RunStart& now, std::uint32_t number) {
    RunStart start = now;
    start.identity = whole.identity;
    start.identity.run_id = id_of_repeat(whole, number);
    start.arguments = whole.arguments;
    start.options = whole.options;
    start.options.seed = seed_of_repeat(whole.options.seed, number);
    start.repeat = whole.repeat;
    start.repeat->number = number;
    start.repeat->complete = false;
    return start;
}

double share_left(const RunOptions& options, double seconds) {
    if (!options.budget) return 1;
    return std::clamp(1 - seconds / std::chrono::duration<double>(*options.budget).count(), 0.0, 1.0);
}

void Repeats::add(Summary repeat) {
    const auto place =
        std::ranges::find_if(
            infos, [&](const RunInfo& other) { return other.repeat->number > repeat.info.repeat->number; }) -
        infos.begin();
    infos.insert(infos.begin() + place, std::move(repeat.info));
    rows.insert(rows.begin() + place, std::move(repeat.rows));
    bases.insert(bases.begin() + place, std::move(repeat.bases));
}

Summary sum_up(const RunStart& whole, const Repeats& repeats) {
    return {describe(whole, repeats), combine_repeats(repeats.rows, whole.options.precision),
            combine_repeats(repeats.bases, whole.options.precision)};
}

}  // namespace nsb::run
