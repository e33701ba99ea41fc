#include "core/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

namespace nsb {
namespace {

Row make_row(const Series& series, const Series* base, Phase phase, const RowContext& context) {
    Row row;
    row.measured = series.measured;
    row.phase = phase;
    if (series.failure) {
        row.status = is_unsupported(*series.failure) ? Status::skipped : Status::failed;
        row.error = errno_name(series.failure->error);
        row.reason = series.said.empty() ? explain(*series.failure) : series.said;
        return row;
    }
    std::vector<double> values = series.counted(phase);
    if (values.empty()) {
        row.status = Status::skipped;
        if (phase != Phase::drain || series.counted(Phase::total).empty()) {
            row.reason = "the run ended before its first counted round; a larger --budget reaches it";
        } else if (context.drain_unseen) {
            row.error = errno_name(context.drain_unseen->error);
            row.reason = context.drain_unseen->reason;
        } else {
            row.error = errno_name(ETIMEDOUT);
            row.reason = "its teardown was not seen to end within the time given";
        }
        return row;
    }

    const std::map<std::uint32_t, double> medians = series.round_medians(phase);
    std::vector<double> round_medians;
    for (const auto& [round, value] : medians) round_medians.push_back(value);
    row.figures = describe(std::move(values), std::move(round_medians));
    if (row.figures->ci && !row.figures->precision) {
        row.status = Status::imprecise;
        row.reason = "a median of 0 has no relative precision";
    } else if (!row.figures->precision) {
        row.status = Status::imprecise;
        row.reason =
            fmt::format("an interval needs {} rounds, there were {}", kMinForInterval, medians.size());
    } else if (*row.figures->precision > context.target_precision) {
        row.status = Status::imprecise;
        row.reason = fmt::format("{:.1f}% reached of {:.1f}%", 100 * *row.figures->precision,
                                 100 * context.target_precision);
    }

    if (base != nullptr && std::ranges::count(base->measured.phases(), phase) != 0) {
        std::vector<double> differences;
        for (const auto& [round, value] : base->round_medians(phase)) {
            if (const auto own = medians.find(round); own != medians.end())
                differences.push_back(own->second - value);
        }
        if (!differences.empty()) row.delta = Delta{median(differences), median_interval(differences)};
    }
    return row;
}

}  // namespace

std::map<std::uint32_t, double> Series::round_medians(Phase phase) const {
    std::map<std::uint32_t, std::vector<double>> rounds;
    for (const Sample& sample : samples) {
        if (sample.counted && (phase != Phase::drain || sample.time(phase) > 0)) {
            rounds[sample.round].push_back(sample.time(phase));
        }
    }
    std::map<std::uint32_t, double> medians;
    for (auto& [round, values] : rounds) medians[round] = median(std::move(values));
    return medians;
}

std::vector<double> Series::counted(Phase phase) const {
    std::vector<double> values;
    for (const Sample& sample : samples) {
        // A drain of 0 is one that was not seen, not one without cost.
        if (sample.counted && (phase != Phase::drain || sample.time(phase) > 0))
            values.push_back(sample.time(phase));
    }
    return values;
}

std::string_view to_string(Status status) {
    static constexpr std::array<std::string_view, 4> kNames{"ok", "imprecise", "skipped", "failed"};
    return kNames.at(static_cast<std::size_t>(status));
}

std::vector<Row> make_rows(const Series& series, const Series* base, const RowContext& context) {
    std::vector<Row> rows;
    for (const Phase phase : series.measured.phases()) rows.push_back(make_row(series, base, phase, context));
    return rows;
}

void RoundMedians::extend(const Series& series) {
    while (next_ < series.samples.size()) {
        const std::uint32_t round = series.samples[next_].round;
        std::array<std::vector<double>, kPhases> times;
        bool any_counted = false;
        for (; next_ < series.samples.size() && series.samples[next_].round == round; ++next_) {
            if (!series.samples[next_].counted) continue;
            any_counted = true;
            ++counted_;
            for (std::size_t i = 0; i < kPhases; ++i) times[i].push_back(series.samples[next_].times[i]);
        }
        if (!any_counted) continue;
        ++rounds_;
        for (std::size_t i = 0; i < kPhases; ++i) medians_[i].push_back(median(std::move(times[i])));
    }
}

bool is_precise(const Series& series, const RoundMedians& medians, double target) {
    for (const Phase phase : series.measured.phases()) {
        if (phase == Phase::drain) continue;
        const auto interval = median_interval(medians.of(phase));
        if (!interval || interval->high - interval->low > 2 * target * interval->high) return false;
    }
    // Near enough to look at the rows themselves, which takes all samples.
    for (const Row& row : make_rows(series, nullptr, {target, {}})) {
        if (row.phase != Phase::drain && row.status != Status::ok) return false;
    }
    return true;
}

}  // namespace nsb
