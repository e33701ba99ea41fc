#include "run/taken_block.h"

#include <algorithm>
#include <cerrno>
#include <functional>

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
    for (std::uint32_t sampler = 0; sampler < answer.records.size(); ++sampler) {
        const Records& records = answer.records[sampler];
        const auto made =
            std::ranges::count_if(records, [](const Record& record) { return record.failure.error == 0; });
        const env::PendingTeardown pending =
            pending_teardown(c, static_cast<std::uint32_t>(made), samplers.in_userns());
        std::ranges::transform(pending, taken.pending, taken.pending.begin(), std::plus<>());
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
    if (c.has(Trait::held)) {
        // Only the block's holder makes namespaces.
        samples = 1;
        if (in_userns) made = made | Kind::user;
    }
    env::PendingTeardown pending{};
    for (const KindInfo& kind : kKinds) {
        if ((made & kWaitedFor).contains(kind.kind)) pending[static_cast<std::size_t>(kind.kind)] = samples;
    }
    return pending;
}

}  // namespace nsb::run
