#include "run/churn_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/case.h"
#include "core/load.h"

namespace nsb::run {
namespace {

std::string counted(std::uint64_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

std::chrono::nanoseconds ChurnPlan::interval() const {
    if (interval_given) return *interval_given;
    return std::max<std::chrono::nanoseconds>(kUsualInterval, duration / kMostIntervals);
}

std::vector<Case> ChurnPlan::cases() const {
    std::vector<Case> cases{Case::of(Operation::clone, set)};
    if (background) cases.push_back(Case::of(Operation::clone, background->set));
    return cases;
}

ChurnPlan ChurnPlan::through_userns() const {
    const auto through = [](KindSet of) { return Case::of(Operation::clone, of).through_userns().set; };
    ChurnPlan plan = *this;
    plan.set = through(set);
    if (plan.background) plan.background->set = through(plan.background->set);
    return plan;
}

std::string to_string(const ChurnPlan& plan) {
    std::string id = fmt::format("churn/{}", to_string(plan.set));
    if (plan.loop == churn::Loop::open) id += fmt::format("/rate:{}", format_rate(plan.rate));
    if (plan.loop == churn::Loop::burst) {
        id += fmt::format("/burst:{}", plan.workers);
    } else if (plan.workers != 1) {
        id += fmt::format("/workers:{}", plan.workers);
    }
    if (plan.background) {
        id += fmt::format("/background:{}.{}", to_string(plan.background->set), plan.background->workers);
    }
    return id;
}

std::string describe(const ChurnPlan& plan) {
    std::string text;
    switch (plan.loop) {
        case churn::Loop::closed:
            text = fmt::format("closed loop, {}", counted(plan.workers, "worker"));
            break;
        case churn::Loop::open:
            text = fmt::format("open loop, {} arrivals/s, {}", format_rate(plan.rate),
                               counted(plan.workers, "worker"));
            break;
        case churn::Loop::burst:
            text = fmt::format("bursts of {}", plan.workers);
            break;
    }
    if (plan.background) {
        text += fmt::format("; in the background {} of {}", counted(plan.background->workers, "worker"),
                            to_string(plan.background->set));
    }
    return text;
}

}  // namespace nsb::run
