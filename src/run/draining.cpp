#include "run/draining.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <thread>
#include <utility>

#include "run/schedule.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;

/// Where teardown cannot be watched, it is given this long.
constexpr auto kBlindPause = 50ms;
/// And so long for each namespace that conditions leave, of which a busy machine takes milliseconds to tear
/// down one.
constexpr auto kBlindPauseEach = 3ms;
/// Where it can be watched, it is waited for by so much longer for each.
constexpr auto kLimitEach = 10ms;

}  // namespace

void Draining::begin() {
    if (watch_) watch_->begin();
}

void Draining::add(const TakenBlock& block) {
    of_conditions_ += block.of_conditions;
    is_uncounted_ = is_uncounted_ || block.is_uncounted;
    std::ranges::transform(block.pending, pending_, pending_.begin(), std::plus<>());
}

std::optional<env::Drained> Draining::wait(std::chrono::nanoseconds limit) {
    const env::PendingTeardown pending = std::exchange(pending_, {});
    const std::uint64_t of_conditions = std::exchange(of_conditions_, 0);
    const bool is_uncounted = std::exchange(is_uncounted_, false);
    if (std::ranges::all_of(pending, [](std::uint32_t n) { return n == 0; })) return std::nullopt;
    if (!watch_) {
        std::this_thread::sleep_for(kBlindPause + kBlindPauseEach * of_conditions);
        return std::nullopt;
    }
    // The last process of a user or pid namespace lets go of it by way of RCU, for a worker or not: with no
    // number to wait for, it has to be given time.
    if (is_uncounted) std::this_thread::sleep_for(kBlindPause);
    if (!watch_->watches(pending)) return std::nullopt;
    const env::Drained drained = watch_->wait(pending, limit + kLimitEach * of_conditions);
    watch_->begin();
    return drained;
}

TeardownAccess access_teardown(const Cases& cases, std::optional<OpenedTeardown> opened) {
    const bool is_any = std::ranges::any_of(cases.all, [](const Case& c) {
        return teardown_class(c) != TeardownClass::none || left_by_conditions(c) > 0;
    });
    if (!is_any) return {};
    if (!opened) opened = env::TeardownWatch::open();
    if (*opened) return {std::make_unique<env::TeardownWatch>(std::move(**opened)), std::nullopt, {}};
    const sys::Refusal& refusal = opened->error();
    const Unseen unseen{refusal.error, fmt::format("teardown cannot be watched: {}", refusal.text())};
    return {
        nullptr,
        unseen,
        {fmt::format("{}; blocks that leave namespaces to the kernel's workers are followed by a pause of "
                     "{} ms instead, and have no drain phase (root sees it)",
                     unseen.reason, kBlindPause / 1ms)}};
}

double drain_of(KindSet set, const env::Drained& drained) {
    double sum = 0;
    for (const KindInfo& kind : kKinds) {
        if (!(set & kTornDownLater).contains(kind.kind)) continue;
        const auto& cost = drained.per_namespace[static_cast<std::size_t>(kind.kind)];
        if (!cost) return 0;
        sum += *cost;
    }
    return sum;
}

}  // namespace nsb::run
