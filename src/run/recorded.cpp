#include "run/recorded.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "core/text.h"
#include "core/utf8.h"
#include "report/csv.h"
#include "run/fields.h"
#include "run/limits.h"

namespace nsb::run {
namespace {

/// The errnos by their names; those that have none stand as their numbers.
int parse_errno(const Fields& fields) {
    constexpr int kMost = 4095;  // MAX_ERRNO
    static const auto by_name = [] {
        std::unordered_map<std::string, int> names;
        for (int error = 1; error <= kMost; ++error) names.emplace(errno_name(error), error);
        return names;
    }();
    const auto at = by_name.find(fields.text("errno"));
    if (at == by_name.end()) fields.refuse("errno", "is no errno");
    return at->second;
}

protocol::Failure parse_failure(const Fields& fields) {
    const auto at = std::ranges::find(protocol::kCallNames, fields.text("call"),
                                      [](const char* name) { return std::string_view(name); });
    if (at == protocol::kCallNames.end() || at == protocol::kCallNames.begin())
        fields.refuse("call", "is no call");
    for (const std::string_view column : {"round", "block", "machine", "sampler", "ended"})
        fields.expect_empty(column, "beside an errno");
    for (const PhaseInfo& phase : kPhaseTable) fields.expect_empty(phase.name, "beside an errno");
    (void)fields.whole("sample", kRounds);
    (void)fields.whole("counted", {0, 0});
    return {static_cast<protocol::Call>(at - protocol::kCallNames.begin()), parse_errno(fields)};
}

Sample parse_sample(const Fields& fields, const Case& c, const std::vector<Phase>& phases) {
    Sample sample;
    fields.expect_empty("call", "without an errno");
    sample.round = fields.whole("round", kRounds);
    sample.block = fields.whole("block", kRounds);
    sample.counted = fields.whole("counted", {0, 1}) == 1;
    sample.machine = fields.whole("machine", kMachines);
    sample.sampler = fields.whole("sampler", {0, c.at_once() - 1});
    if (!fields.text("ended").empty()) sample.ended = fields.time("ended");
    if (sample.counted && sample.round == 0) fields.refuse("counted", "in round 0, the warm-up");
    auto next = phases.begin();  // they are in order
    for (std::size_t i = 0; i < kPhases; ++i) {
        const auto phase = static_cast<Phase>(i);
        const std::string_view column = nsb::info(phase).name;
        const bool is_its = next != phases.end() && *next == phase;
        if (is_its) ++next;
        if (fields.text(column).empty() && (!is_its || phase == Phase::drain)) continue;  // not seen, a drain
        if (!is_its) fields.refuse(column, fmt::format("is of a phase that {} does not have", to_string(c)));
        sample.times[i] = fields.time(column);
    }
    return sample;
}

/// The cases that a run with this plan measures: as far as its user could, and with their bases.
std::vector<Case> measured_cases(const RunInfo& info, std::vector<Case> plan) {
    if (info.in_userns) std::ranges::transform(plan, plan.begin(), &Case::through_userns);
    for (std::size_t i = 0, planned = plan.size(); i < planned; ++i) {
        if (const auto base = plan[i].base(info.base_set)) plan.push_back(*base);
    }
    return plan;
}

/// The series as they come.
class Reader {
  public:
    Reader(const RunInfo& info, const std::vector<Case>& plan)
        : info_(info),
          kernel_(read_back(info.identity.kernel)),
          quotes_(std::ranges::count(csv_field(info.identity.kernel), '"')) {
        for (const Case& c : measured_cases(info, plan)) known_.emplace(to_string(c), Known{c, c.phases()});
    }

    void read(const Fields& fields) {
        // Recorded runs of the lab have the run_id of each copy.
        if (!is_name(fields.text("run_id"))) fields.refuse("run_id", "is none");
        fields.expect("kernel", kernel_, "the run's");
        fields.expect("clock", std::string(info(info_.identity.clock).name), "the run's");
        const auto at = known_.find(fields.text("case"));
        if (at == known_.end()) refuse_case(fields);
        Known& known = at->second;
        if (!known.series) {
            known.series = series_.size();
            series_.push_back({known.measured, {}, {}});
        }
        Series& own = series_[*known.series];
        if (!fields.text("errno").empty()) {
            own.failure = parse_failure(fields);
            return;
        }
        const Sample sample = parse_sample(fields, known.measured, known.phases);
        expect_order(fields, sample, known);
        own.samples.push_back(sample);
    }

    /// Only a kernel's name may need any; elsewhere they would be read as if they were not there.
    void expect_quotes(const std::string& line) const {
        if (std::ranges::count(line, '"') != quotes_)
            throw Wrong{fmt::format("quotes where they do not belong: {}", shown(line))};
    }

    [[nodiscard]] std::vector<Series> take() { return std::move(series_); }

  private:
    struct Known {
        Case measured;
        std::vector<Phase> phases;
        std::optional<std::size_t> series{};  ///< once it has one
        std::set<std::uint32_t> machines{};
        // Of the machine that came last:
        std::uint32_t machine = 0;
        std::size_t samples = 0;
        std::uint32_t round = 0;  ///< the latest
        std::uint32_t block = 0;  ///< likewise
    };

    /// What a field of this text is read as.
    static std::string read_back(const std::string& text) {
        return fmt::format("{}", fmt::join(report::split_csv(csv_field(text)), ","));
    }

    /// Samples of one machine stand together, in the order in which they were taken. A base is warmed up
    /// again with a case that a resumed run is the first to reach.
    static void expect_order(const Fields& fields, const Sample& sample, Known& known) {
        if (known.machines.empty() || sample.machine != known.machine) {
            if (!known.machines.insert(sample.machine).second)
                fields.refuse("machine", "again, behind samples of another");
            known.machine = sample.machine;
            known.samples = known.round = known.block = 0;
        }
        fields.expect("sample", std::to_string(known.samples),
                      "the next one: a line is missing, or there twice");
        ++known.samples;
        if (sample.round != 0 && sample.round < known.round) fields.refuse("round", "behind a later one");
        if (sample.block < known.block) fields.refuse("block", "behind a later one");
        known.round = std::max(known.round, sample.round);
        known.block = sample.block;
    }

    [[noreturn]] void refuse_case(const Fields& fields) const {
        const auto c = parse_case(fields.text("case"));
        if (!c) fields.refuse("case", "is none: " + c.error());
        fields.refuse("case",
                      fmt::format("is not among the run's cases{}",
                                  info_.in_userns ? ", which were measured through a user namespace" : ""));
    }

    const RunInfo& info_;
    std::string kernel_;     ///< as the file has it
    std::ptrdiff_t quotes_;  ///< around it there, and in it
    std::unordered_map<std::string, Known> known_;
    std::vector<Series> series_;
};

}  // namespace

tl::expected<RecordedSamples, std::string> parse_samples(NextPiece text, std::string_view name,
                                                         const RunInfo& info, const std::vector<Case>& plan) {
    Reader reader(info, plan);
    const auto read = each_line(
        std::move(text), name, report::sample_columns(),
        [&](const Fields& fields) {
            reader.expect_quotes(fields.line());
            reader.read(fields);
        },
        info.sample_lines);
    if (!read) return tl::unexpected(read.error());
    const bool is_ours = read->header + '\n' == report::csv_header(report::sample_columns());
    return RecordedSamples{reader.take(), read->lines, read->bytes, is_ours};
}

}  // namespace nsb::run
