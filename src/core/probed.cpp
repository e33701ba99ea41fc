#include "core/probed.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace nsb {
namespace {

/// Each function's own time where it is called, at any depth, from one that begins a path of creation. The
/// same function may also be called when the process ends.
std::map<std::size_t, double> own_in_create(const ProbedCase& probed) {
    std::set<std::size_t> reached;
    for (bool grows = true; grows;) {
        grows = false;
        for (const CallEdge& edge : probed.edges) {
            const bool is_below =
                edge.parent ? reached.contains(*edge.parent) : kTraced[edge.function].path == Path::create;
            if (is_below) grows = reached.insert(edge.function).second || grows;
        }
    }
    std::map<std::size_t, double> own;
    for (const CallEdge& edge : probed.edges) {
        const bool is_below = edge.parent ? reached.contains(*edge.parent) : reached.contains(edge.function);
        if (is_below) own[edge.function] += edge.self;
    }
    return own;
}

}  // namespace

std::vector<Added> added(const ProbedCase& probed, const ProbedCase& base) {
    std::map<std::size_t, double> own = own_in_create(probed);
    for (const auto& [function, ticks] : own_in_create(base)) own[function] -= ticks;
    std::vector<Added> sorted;
    for (const auto& [function, ticks] : own) {
        if (std::abs(ticks) >= 0.5) sorted.push_back({function, ticks});
    }
    std::ranges::stable_sort(sorted, std::ranges::greater{}, &Added::ticks);
    return sorted;
}

}  // namespace nsb
