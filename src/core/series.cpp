#include "core/series.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <iterator>
#include <utility>

#include "core/median_interval.h"
#include "core/text.h"

namespace nsb {
namespace {

/// The largest distance of a machine's figure from the one that stands for all.
std::optional<double> resolution_of(const std::vector<double>& figures, double of_all) {
    if (figures.size() < 2) return std::nullopt;
    double largest = 0;
    for (const double figure : figures) largest = std::max(largest, std::abs(figure - of_all));
    return largest;
}

/// Of the median of values, one of each round. By instructions rounds have nothing in common but their
/// machine, which `resolution` is about: they are independent.
std::optional<Interval> interval_over_rounds(std::vector<double> of_rounds, TickClock clock) {
    if (clock == TickClock::instructions) return median_interval(std::move(of_rounds));
    std::vector<OfRound> values;
    for (const double value : of_rounds) values.push_back({value, static_cast<std::uint32_t>(values.size())});
    return median_interval_of_rounds(std::move(values));
}

std::optional<Delta> make_delta(const std::map<RoundKey, double>& own, const std::map<RoundKey, double>& base,
                                TickClock clock) {
    std::vector<double> differences;
    std::map<std::uint32_t, std::vector<double>> by_machine;
    for (const auto& [key, value] : base) {
        const auto at = own.find(key);
        if (at == own.end()) continue;
        differences.push_back(at->second - value);
        by_machine[key.machine].push_back(differences.back());
    }
    if (differences.empty()) return std::nullopt;
    std::vector<double> figures;
    for (auto& [machine, values] : by_machine) figures.push_back(median(std::move(values)));
    const double value = median(figures);
    return Delta{value, interval_over_rounds(std::move(differences), clock), resolution_of(figures, value)};
}

/// Visits the times of a phase that count, with the stretch that each is of. A drain of 0 was not seen.
template <typename Visit>
void each_counted(const Samples& samples, Phase phase, Visit visit) {
    for (const Stretch& stretch : samples.stretches()) {
        if (phase == Phase::drain && stretch.drain <= 0) continue;
        for (std::size_t at = stretch.counted; at < stretch.end; ++at)
            visit(stretch, samples.time(stretch, phase, at));
    }
}

/// The counted samples of a phase with their rounds.
std::vector<OfRound> by_round(const Series& series, Phase phase) {
    std::vector<OfRound> values;
    std::optional<RoundKey> latest;
    std::uint32_t round = 0;
    each_counted(series.samples, phase, [&](const Stretch& of, double time) {
        const RoundKey key{of.machine, of.round};
        if (latest && key != *latest) ++round;
        latest = key;
        values.push_back({time, round});
    });
    return values;
}

/// Of the median of a phase.
std::optional<Interval> interval_of(const Series& series, Phase phase, TickClock clock) {
    if (clock == TickClock::instructions) {
        std::vector<double> medians;
        for (const auto& [round, value] : series.round_medians(phase)) medians.push_back(value);
        return interval_over_rounds(std::move(medians), clock);
    }
    auto interval = median_interval_of_rounds(by_round(series, phase));
    if (interval)
        interval->low = std::max(interval->low, 0.0);  // where it goes on beyond all: no time is less
    return interval;
}

/// The series as it was after so many rounds with counted samples.
Series of_first_rounds(Series series, std::uint32_t rounds) {
    std::optional<std::uint32_t> round;
    std::uint32_t seen = 0;
    for (const Stretch& of : series.samples.stretches()) {
        if (of.counted == of.end) continue;
        if (round != of.round && ++seen > rounds) {
            series.samples.cut(of.begin);
            break;
        }
        round = of.round;
    }
    return series;
}

Row make_row(const Series& series, const Series* base, Phase phase, const RowContext& context) {
    Row row;
    row.measured = series.measured;
    row.phase = phase;
    if (series.failure) {
        row.status = is_unsupported(*series.failure) ? Status::skipped : Status::failed;
        row.error = errno_name(series.failure->error);
        row.reason =
            series.said.empty() ? explain(*series.failure, series.measured.set, context.held) : series.said;
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

    const std::map<RoundKey, double> medians = series.round_medians(phase);
    std::vector<std::vector<double>> machines;
    for (auto& [machine, own] : series.by_machine(phase)) machines.push_back(std::move(own));
    std::vector<double> of_machines;
    for (const std::vector<double>& own : machines) of_machines.push_back(median(own));
    const double of_all = median(of_machines);
    row.machines = series.samples.back().machine == 0 ? 0 : of_machines.size();
    row.position = position_of(machines);
    row.resolution = resolution_of(of_machines, of_all);
    row.figures = describe(std::move(values), interval_of(series, phase, context.clock), of_all);
    std::vector<double> of_rounds;
    for (const auto& [round, value] : medians) of_rounds.push_back(value);
    row.figures->error = median_error(std::move(of_rounds));
    if (row.figures->ci && !row.figures->precision) {
        row.status = Status::imprecise;
        row.reason = "a median of 0 has no relative precision";
    } else if (!row.figures->precision) {
        row.status = Status::imprecise;
        row.reason =
            fmt::format("an interval needs {} rounds, there were {}", kMinForInterval, medians.size());
    } else if (*row.figures->precision > context.target_precision) {
        row.status = Status::imprecise;
        row.reason = reached_of(*row.figures->precision, context.target_precision);
    }

    if (base != nullptr && std::ranges::count(base->measured.phases(), phase) != 0) {
        row.delta = make_delta(medians, base->round_medians(phase), context.clock);
        if (row.delta) row.delta->base = base->measured;
    }
    return row;
}

}  // namespace

std::map<RoundKey, double> Series::round_medians(Phase phase) const {
    std::map<RoundKey, std::vector<double>> rounds;
    each_counted(samples, phase, [&](const Stretch& of, double time) {
        rounds[{of.machine, of.round}].push_back(time);
    });
    std::map<RoundKey, double> medians;
    for (auto& [round, values] : rounds) medians[round] = median(std::move(values));
    return medians;
}

std::map<std::uint32_t, std::vector<double>> Series::by_machine(Phase phase) const {
    std::map<std::uint32_t, std::vector<double>> machines;
    each_counted(samples, phase,
                 [&](const Stretch& of, double time) { machines[of.machine].push_back(time); });
    return machines;
}

std::vector<double> Series::counted(Phase phase) const {
    std::vector<double> values;
    each_counted(samples, phase, [&](const Stretch&, double time) { values.push_back(time); });
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

namespace {

/// Looks at no sample where nothing is left out, which is the rule: rows are made after each round.
bool keeps_rounds(const Series& series, const std::set<std::uint32_t>& rounds) {
    if (rounds.empty()) return false;
    std::set<std::uint32_t> kept;
    bool has_any = false;
    for (const Stretch& stretch : series.samples.stretches()) {
        if (stretch.counted == stretch.end) continue;
        if (rounds.contains(stretch.round)) {
            has_any = true;
        } else {
            kept.insert(stretch.round);
        }
    }
    return has_any && kept.size() < kMinForInterval;
}

}  // namespace

std::vector<std::string> kept_whole(std::span<const Series> series, const std::set<std::uint32_t>& rounds) {
    std::vector<std::string> cases;
    for (const Series& s : series) {
        if (keeps_rounds(s, rounds)) cases.push_back(to_string(s.measured));
    }
    return cases;
}

Series without_rounds(const Series& series, const std::set<std::uint32_t>& rounds) {
    Series left = series;
    if (!keeps_rounds(series, rounds)) left.samples.leave_out(rounds);
    return left;
}

std::vector<Row> rows_of(std::span<const Series> series, std::size_t planned, const RowContext& context) {
    // One copy at a time: all of them would take as much room as the samples themselves.
    std::optional<Series> left;
    std::optional<Series> left_of_base;
    const auto counted = [&](const Series& all, std::optional<Series>& copy) -> const Series& {
        return context.left_out.empty() ? all : copy.emplace(without_rounds(all, context.left_out));
    };
    std::map<Case, std::size_t> by_case;
    for (std::size_t i = 0; i < series.size(); ++i) by_case[series[i].measured] = i;
    std::vector<Row> rows;
    for (std::size_t i = 0; i < planned; ++i) {
        const auto base_case = series[i].measured.base(context.base_set);
        const auto at = base_case ? by_case.find(*base_case) : by_case.end();
        const Series* base = at == by_case.end() ? nullptr : &series[at->second];
        // A case that keeps all of its rounds is compared with its base in all of them.
        if (base != nullptr && !keeps_rounds(series[i], context.left_out))
            base = &counted(*base, left_of_base);
        std::ranges::move(make_rows(counted(series[i], left), base, context), std::back_inserter(rows));
    }
    return rows;
}

bool is_precise(const Series& series, const RowContext& context) {
    if (!context.left_out.empty()) {
        RowContext of_left = context;
        of_left.left_out.clear();
        return is_precise(without_rounds(series, context.left_out), of_left);
    }
    return std::ranges::all_of(series.measured.phases(), [&](Phase phase) {
        return phase == Phase::drain || make_row(series, nullptr, phase, context).status == Status::ok;
    });
}

void Looks::extend(const Series& series) {
    const std::span all = series.samples.stretches();
    std::optional<std::uint32_t> round;  // the latest of this call
    for (auto of = std::ranges::upper_bound(all, next_, {}, &Stretch::end); of != all.end(); ++of) {
        const std::size_t first = std::max<std::size_t>(next_, of->counted);
        if (first >= of->end) continue;
        counted_ += static_cast<std::uint32_t>(of->end - first);
        if (round != of->round) ++rounds_;
        round = of->round;
    }
    next_ = series.samples.size();
}

std::uint32_t Looks::due() const {
    return kMinRounds * std::bit_floor(rounds_ / kMinRounds);
}

void Looks::look(const Series& series, const RowContext& context) {
    if (!is_due()) return;
    looked_ = due();
    is_precise_ = looked_ == rounds_ ? nsb::is_precise(series, context)
                                     : nsb::is_precise(of_first_rounds(series, looked_), context);
}

}  // namespace nsb
