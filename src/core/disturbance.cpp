#include "core/disturbance.h"

#include <algorithm>

#include "core/statistics.h"

namespace nsb {
namespace {

bool is_above(std::optional<std::int64_t> time, double share, std::int64_t duration, std::int64_t least = 1) {
    return time && *time >= least && static_cast<double>(*time) > share * static_cast<double>(duration);
}

Disturber disturber_of(const RoundMarks& marks, double usual_frequency, const DisturbanceRule& rule) {
    if (marks.suspended.value_or(0) > 0) return Disturber::suspension;
    if (marks.moved.value_or(0) > 0) return Disturber::moved;
    if (marks.throttles.value_or(0) > 0) return Disturber::throttling;
    if (is_above(marks.steal, rule.steal, marks.duration, rule.least_steal)) return Disturber::steal;
    if (is_above(marks.others, rule.others, marks.duration, rule.least_others) ||
        is_above(marks.waited, rule.waited, marks.duration)) {
        return Disturber::other_tasks;
    }
    if (marks.frequency && static_cast<double>(*marks.frequency) < (1 - rule.frequency) * usual_frequency) {
        return Disturber::frequency;
    }
    return Disturber::nothing;
}

}  // namespace

void label(std::span<RoundMarks> rounds, const DisturbanceRule& rule) {
    std::vector<double> frequencies;
    for (const RoundMarks& marks : rounds) {
        if (marks.frequency) frequencies.push_back(static_cast<double>(*marks.frequency));
    }
    const double usual = frequencies.empty() ? 0 : median(std::move(frequencies));
    for (RoundMarks& marks : rounds) marks.disturbed = disturber_of(marks, usual, rule);
}

std::map<std::string_view, std::size_t> count_by_disturber(std::span<const RoundMarks> rounds) {
    std::map<std::string_view, std::size_t> counts;
    for (const RoundMarks& marks : rounds) {
        if (marks.disturbed != Disturber::nothing) ++counts[to_string(marks.disturbed)];
    }
    return counts;
}

std::set<std::uint32_t> disturbed_rounds(std::span<const RoundMarks> rounds) {
    std::set<std::uint32_t> numbers;
    for (const RoundMarks& marks : rounds) {
        if (marks.disturbed != Disturber::nothing) numbers.insert(marks.round);
    }
    return numbers;
}

}  // namespace nsb
