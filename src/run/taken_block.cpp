#include "run/taken_block.h"

#include <algorithm>
#include <cerrno>
#include <functional>

#include "core/failure.h"

namespace nsb::run {

using protocol::Record;

namespace {

/// A sampler that was given up may have waited in vain for another one, whose failure says why.
bool is_of_others(const protocol::Failure& failure) {
    return failure.call == protocol::Call::sampler && failure.error == ETIMEDOUT;
}

}  // namespace

std::vector<double> TakenBlock::counted(Phase phase) const {
    std::vector<double> times;
    for (const Sample& sample : samples) {
        if (!sample.is_lead_in) times.push_back(sample.times[static_cast<std::size_t>(phase)]);
    }
    return times;
}

TakenBlock take_block(Samplers& samplers, const Case& c, std::uint32_t lead_in, std::uint32_t samples,
                      std::chrono::nanoseconds limit) {
    Samplers::Answer answer = samplers.take(c, lead_in + samples, limit);
    TakenBlock taken{{}, std::nullopt, std::move(answer.said), {}};
    taken.was_suspended = answer.was_suspended;
    for (std::uint32_t sampler = 0; sampler < answer.records.size(); ++sampler) {
        const Records& records = answer.records[sampler];
        const auto made =
            std::ranges::count_if(records, [](const Record& record) { return record.failure.error == 0; });
        // Where a condition is not to be had here, there is none of it.
        const protocol::Failure first = records.empty() ? protocol::Failure{} : records.front().failure;
        if (!is_of_condition(first.call) || !is_unsupported(first)) {
            const env::PendingTeardown pending =
                pending_teardown(c, static_cast<std::uint32_t>(made), samplers.in_userns());
            std::ranges::transform(pending, taken.pending, taken.pending.begin(), std::plus<>());
            taken.of_conditions += left_by_conditions(c);
            taken.is_uncounted = taken.is_uncounted || (made == 0 && left_by_conditions(c) > 0);
        }
        for (std::size_t i = 0; i < records.size(); ++i) {
            if (records[i].failure.error != 0) {
                if (!taken.failure || is_of_others(*taken.failure)) taken.failure = records[i].failure;
                continue;
            }
            TakenBlock::Sample& sample = taken.samples.emplace_back();
            std::ranges::copy(records[i].times, sample.times.begin());
            sample.is_lead_in = i < lead_in;
            sample.sampler = sampler;
            sample.ended = static_cast<double>(records[i].ended);
        }
    }
    return taken;
}

env::PendingTeardown pending_teardown(const Case& c, std::uint32_t samples, bool in_userns) {
    KindSet made = c.set;
    const bool is_set_up = samples > 0;
    if (c.has(Trait::held)) {
        // Only the block's holder makes namespaces.
        samples = 1;
        if (in_userns) made = made | Kind::user;
    }
    env::PendingTeardown pending{};
    const auto add = [&](Kind kind) { ++pending[static_cast<std::size_t>(kind)]; };
    for (const KindInfo& kind : kKinds) {
        if (!kWaitedFor.contains(kind.kind)) continue;
        const std::uint64_t own = made.contains(kind.kind) ? samples : 0;
        std::uint64_t left = left_with_conditions(c.values, kind.kind, own);
        // Of conditions that could not be set up whole, nobody knows how many there were.
        if (!is_set_up && c.has_condition()) left = std::min<std::uint64_t>(left, 1);
        pending[static_cast<std::size_t>(kind.kind)] = static_cast<std::uint32_t>(left);
    }
    // What a block is carried out in, unless that could not be made.
    if (!is_set_up) return pending;
    if (c.has(Trait::in_own_net)) add(Kind::net);
    if (in_userns && (c.has(Trait::in_own_net) || c.has(Trait::in_own_mnt))) add(Kind::user);
    return pending;
}

}  // namespace nsb::run
