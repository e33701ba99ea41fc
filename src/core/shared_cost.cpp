#include "core/shared_cost.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace nsb {
namespace {

/// The deltas of one base's sets, by the kinds that they have and the base has not.
struct Deltas {
    Case base;
    std::map<KindSet, double> values;
};

std::vector<Deltas> by_base(std::span<const Row> rows) {
    std::vector<Deltas> all;
    for (const Row& row : rows) {
        if (!row.delta || !row.delta->ci || row.phase != row.measured.phases().front()) continue;
        const Case& base = row.delta->base;
        // A twin's base is the same set, a runtime's another operation's.
        const KindSet kinds = row.measured.set - base.set;
        if (kinds.empty() || base.operation != row.measured.operation) continue;
        auto at = std::ranges::find(all, base, &Deltas::base);
        if (at == all.end()) at = all.insert(at, {base, {}});
        at->values[kinds] = row.delta->value;
    }
    return all;
}

/// Of each pair of kinds: by how much it is below the sum of both.
std::vector<double> savings(const std::map<KindSet, double>& deltas) {
    std::vector<double> all;
    for (auto one = deltas.begin(); one != deltas.end(); ++one) {
        for (auto other = std::next(one); other != deltas.end(); ++other) {
            if (one->first.size() != 1 || other->first.size() != 1) continue;
            const KindSet both = one->first | other->first;
            const auto together = deltas.find(both);
            if (both.contains(Kind::user) || together == deltas.end()) continue;
            all.push_back(one->second + other->second - together->second);
        }
    }
    return all;
}

}  // namespace

std::vector<SharedCost> shared_costs(std::span<const Row> rows) {
    std::vector<SharedCost> shown;
    for (const Deltas& deltas : by_base(rows)) {
        const std::vector<double> all = savings(deltas.values);
        const auto interval = median_interval(all);
        if (!interval || (interval->low <= 0 && interval->high >= 0)) continue;
        shown.push_back({deltas.base, all.size(), median(all), *interval});
    }
    return shown;
}

}  // namespace nsb
