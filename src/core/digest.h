// What the rows of a run come to: what each kind adds, what sets cost against the sum of their kinds, what
// there is no figure of, and how much of it is precise.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/series.h"
#include "core/set_sums.h"

namespace nsb {

/// Whether a case is one that digests are made of, and that a run reaches first: a kind alone or none, with
/// all parameters at their defaults; of an operation that is planned with other sets, those sets. `base_set`:
/// of the run's bases, which every set has then.
bool is_headline(const Case& c, KindSet base_set);

/// The kinds that a case is about: those that its base has not.
KindSet kinds_of(const Case& c, KindSet base_set);

/// A figure, and how far it may be off.
struct Quantity {
    double value = 0;
    std::optional<Interval> ci;        ///< 95%
    std::optional<double> resolution;  ///< of saved machines; it stands in the place of the interval then

    [[nodiscard]] std::optional<Interval> range() const;
};

struct DigestEntry {
    Case measured;
    KindSet kinds;  ///< kinds_of() the case
    Status status = Status::ok;
    std::string error, reason;
    std::optional<Quantity> figure;  ///< absent where there is none
};

/// What an operation's first phase takes, or what sets add to it.
struct DigestBlock {
    Operation operation;
    Phase phase;
    std::optional<Case> base;  ///< what all of them add to; absent: they are what they take themselves
    bool is_of_kinds = true;   ///< each entry is of one kind
    std::vector<DigestEntry> entries;  ///< the largest first, those without a figure last
    std::size_t left_out = 0;          ///< sets that are not among the entries
    std::optional<SetSums> sums;
};

/// Cases without a figure, or without one of a phase, for the same reason.
struct Missing {
    Status status = Status::skipped;
    std::optional<Phase> phase;  ///< absent: the whole case
    std::string error, reason;
    std::size_t cases = 0;
};

/// What differences were taken against, or would be: an operation without namespaces, or with those that
/// every set of the run has.
struct BaseFigure {
    Case measured;  ///< with all parameters at their defaults, where that was measured
    Phase phase;
    Quantity figure;
    std::size_t cases = 1;  ///< likewise with other parameters, it among them
    Interval medians{};     ///< of all of them: the least and the largest
};

struct Digest {
    std::vector<DigestBlock> blocks;  ///< in the order of the operations
    std::vector<Missing> missing;
    std::vector<BaseFigure> bases;
    std::size_t cases = 0, precise = 0;  ///< in every phase but drain, which comes as it comes
    std::size_t shown = 0;               ///< cases that are entries or bases

    [[nodiscard]] bool has(const Case& c) const;  ///< among the entries or bases
};

/// `bases` are the rows of what is measured for differences alone.
Digest digest_of(std::span<const Row> rows, std::span<const Row> bases, KindSet base_set);

}  // namespace nsb
