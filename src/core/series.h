// All samples of one case, and the rows of results that they make.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/capabilities.h"
#include "core/case.h"
#include "core/failure.h"
#include "core/position.h"
#include "core/protocol.h"
#include "core/samples.h"
#include "core/statistics.h"
#include "core/tick.h"

namespace nsb {

/// A round of one machine: what a median is taken of, and what the base is paired by.
struct RoundKey {
    std::uint32_t machine, round;
    auto operator<=>(const RoundKey&) const = default;  // NOLINT(modernize-use-nullptr)
};

struct Series {
    Case measured;
    Samples samples;  ///< in the order in which they were taken
    std::optional<protocol::Failure> failure;
    std::string said{};  ///< by a runtime that failed, and by whom: better than what the errno says

    /// The medians of the counted samples of each round, by round. Empty for a phase that was never seen.
    [[nodiscard]] std::map<RoundKey, double> round_medians(Phase phase) const;
    /// The counted samples of each machine; a single one where nothing was saved.
    [[nodiscard]] std::map<std::uint32_t, std::vector<double>> by_machine(Phase phase) const;
    /// A drain of 0 is one that was not seen, not one without cost: it counts for nothing.
    [[nodiscard]] std::vector<double> counted(Phase phase) const;
};

enum class Status : std::uint8_t { ok, imprecise, skipped, failed };
std::string_view to_string(Status status);

struct Delta {
    double value;  ///< the median over rounds of the difference to the base; over machines, of theirs
    std::optional<Interval> ci;        ///< 95%
    std::optional<double> resolution;  ///< as of a row
    Case base{};                       ///< what it is taken against
};

/// One row of results.csv: a case and one of its phases.
struct Row {
    Case measured;
    Phase phase = Phase::total;
    Status status = Status::ok;
    std::optional<Figures> figures;    ///< absent where skipped or failed
    std::optional<Delta> delta;        ///< absent without a base
    std::optional<double> resolution;  ///< how far meaningless variations of the machine move the median: the
                                       ///< largest distance of one machine's from it; absent for one machine
    std::size_t machines = 0;          ///< saved machines that it was measured on; 0 where nothing was saved
    std::optional<Position> position;
    std::size_t repeats = 0;        ///< of the plan, whose medians the figures are made of; 0 without repeats
    std::optional<double> scatter;  ///< of repeats: as scatter_of() says; absent where it is not known
    std::string error;              ///< an errno's name
    std::string reason;             ///< for every status but ok
};

/// Why something could not be seen here.
struct Unseen {
    int error = 0;
    std::string reason;
};

/// What a run knows that its samples do not show.
struct RowContext {
    double target_precision = 0.02;
    std::optional<Unseen> drain_unseen;  ///< absent where asynchronous teardown can be watched
    std::optional<Capabilities> held;    ///< by the run's process; absent where it is not known
    TickClock clock = TickClock::wall;
    std::set<std::uint32_t> left_out{};  ///< rounds whose samples enter no figure
    KindSet base_set{};                  ///< of the bases: Case::base()
};

/// The series with no sample of these rounds counted; as it is where fewer rounds would be left than an
/// interval needs.
Series without_rounds(const Series& series, const std::set<std::uint32_t>& rounds);
/// The cases of which that leaves out nothing, although they have some of these rounds.
std::vector<std::string> kept_whole(std::span<const Series> series, const std::set<std::uint32_t>& rounds);

/// `base` is the series of the case's base, or null.
std::vector<Row> make_rows(const Series& series, const Series* base, const RowContext& context);

/// The rows of the first `planned` of these series; bases are looked for among all.
std::vector<Row> rows_of(std::span<const Series> series, std::size_t planned, const RowContext& context);

/// Whether the rows of a case, `drain` aside, would have the status ok.
bool is_precise(const Series& series, const RowContext& context);

/// Rounds before a case can be precise enough.
inline constexpr std::uint32_t kMinRounds = 8;

/// What is known of a series while it grows: how much of it counts, and whether it is precise enough. A
/// chance that is taken often comes: who looks after every round stops at the first interval that is too
/// narrow by accident. So each look has twice as many rounds as the one before.
class Looks {
  public:
    /// Counts the samples that came since the last call: whole rounds.
    void extend(const Series& series);
    /// Whether enough rounds have come since the last look.
    [[nodiscard]] bool is_due() const { return due() > looked_; }
    /// Looks where that is so: at so many rounds as are due, of which a run that is taken up again has more.
    void look(const Series& series, const RowContext& context);

    [[nodiscard]] std::uint32_t counted() const { return counted_; }  ///< samples
    [[nodiscard]] std::uint32_t rounds() const { return rounds_; }    ///< with counted samples
    [[nodiscard]] bool is_precise() const { return is_precise_; }     ///< as the last look found it

  private:
    /// The most of kMinRounds, twice as many, … rounds that there are; 0: fewer.
    [[nodiscard]] std::uint32_t due() const;

    std::size_t next_ = 0;
    std::uint32_t counted_ = 0, rounds_ = 0, looked_ = 0;
    bool is_precise_ = false;
};

}  // namespace nsb
