#include "core/set_sums.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace nsb {
namespace {

struct SetDelta {
    Case measured;
    double value;
    Interval range;
};

/// What each set adds to the base, by the kinds that the base has not, where it is known how well.
std::map<KindSet, SetDelta> by_kinds(std::span<const Row> rows, const Case& base) {
    std::map<KindSet, SetDelta> all;
    for (const Row& row : rows) {
        if (!row.delta || row.delta->base != base || row.measured.operation != base.operation ||
            row.phase != row.measured.phases().front())
            continue;
        const KindSet kinds = row.measured.set - base.set;
        const Delta& delta = *row.delta;
        if (kinds.empty() || (!delta.ci && !delta.resolution)) continue;
        const Interval range =
            delta.resolution ? Interval{delta.value - *delta.resolution, delta.value + *delta.resolution}
                             : *delta.ci;
        all.emplace(kinds, SetDelta{row.measured, delta.value, range});
    }
    return all;
}

/// A set of several kinds; nothing where one of them was not measured alone.
std::optional<SetSum> compare(KindSet kinds, const SetDelta& set, const std::map<KindSet, SetDelta>& all,
                              const std::optional<SharedCost>& shared) {
    SetSum sum{set.measured, kinds, set.value, set.value, set.range};
    for (const KindInfo& kind : kKinds) {
        if (!kinds.contains(kind.kind)) continue;
        const auto one = all.find(kind.kind);
        if (one == all.end()) return std::nullopt;
        sum.gap -= one->second.value;
        sum.range = {sum.range.low - one->second.range.high, sum.range.high - one->second.range.low};
    }
    // A user namespace shares nothing with the others.
    const int sharing = (kinds - KindSet(Kind::user)).size();
    if (shared && sharing > 1) {
        const double times = sharing - 1;
        sum.gap += times * shared->saving;
        sum.range = {sum.range.low + times * shared->ci.low, sum.range.high + times * shared->ci.high};
    }
    return sum;
}

}  // namespace

std::optional<SetSums> set_sums(std::span<const Row> rows, const Case& base) {
    SetSums sums;
    for (const SharedCost& shared : shared_costs(rows)) {
        if (shared.base == base) sums.shared = shared;
    }
    const std::map<KindSet, SetDelta> all = by_kinds(rows, base);
    for (const auto& [kinds, set] : all) {
        if (kinds.size() < 2) continue;
        const auto sum = compare(kinds, set, all, sums.shared);
        if (!sum) continue;
        ++sums.compared;
        if (kinds == KindSet::all() - base.set) sums.all = sum;
        if (sum->follows()) {
            ++sums.following;
        } else {
            sums.off.push_back(*sum);
        }
    }
    std::ranges::stable_sort(sums.off, std::ranges::greater{},
                             [](const SetSum& sum) { return std::abs(sum.gap); });
    if (sums.compared == 0) return std::nullopt;
    return sums;
}

}  // namespace nsb
