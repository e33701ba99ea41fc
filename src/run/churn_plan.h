// What nsbench churn is asked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/churn.h"
#include "core/text.h"

namespace nsb::run {

inline constexpr Range kWorkers{1, 256};
inline constexpr Range kBurst{2, 768};
inline constexpr Range kBursts{1, 1'000'000};
inline constexpr Range kBackground{1, 256};
static_assert(kBurst.high + kBackground.high <= churn::kMostWorkers);

/// A time line has no more rows of a load than that, unless its interval is given.
inline constexpr int kMostIntervals = 4000;
inline constexpr std::chrono::milliseconds kUsualInterval{250};

struct BackgroundLoad {
    KindSet set;
    std::uint32_t workers;
};

struct ChurnPlan {
    KindSet set;
    churn::Loop loop = churn::Loop::closed;
    std::uint32_t workers = 1;  ///< burst: so many operations at once
    double rate = 0;            ///< open: arrivals each second
    std::uint64_t bursts = 0;   ///< 0: as many as the time has room for
    std::chrono::nanoseconds duration = std::chrono::seconds(60);
    std::chrono::nanoseconds pause = std::chrono::seconds(1);   ///< between two bursts
    std::chrono::nanoseconds drain = std::chrono::seconds(60);  ///< at most, after the load
    std::optional<std::chrono::nanoseconds> interval_given;
    std::optional<BackgroundLoad> background;

    [[nodiscard]] std::chrono::nanoseconds interval() const;
    /// All that are made.
    [[nodiscard]] KindSet made() const { return background ? set | background->set : set; }
    [[nodiscard]] std::uint32_t all_workers() const {
        return workers + (background ? background->workers : 0);
    }
    [[nodiscard]] double period_ns() const { return 1e9 / rate; }

    /// What its workers do, as cases: what these need, it needs.
    [[nodiscard]] std::vector<Case> cases() const;

    /// As an ordinary user can have it: sets gain NEWUSER.
    [[nodiscard]] ChurnPlan through_userns() const;
};

/// `churn/NEWNET/rate:200/workers:4/background:NEWNET.8`: by the rules of a case's id, and for the same use.
/// No operation has it: a load has neither blocks nor phases.
std::string to_string(const ChurnPlan& plan);

/// "an open loop of 200 arrivals each second, 4 workers", in words.
std::string describe(const ChurnPlan& plan);

}  // namespace nsb::run
