#include "core/probed.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace nsb {
namespace {

/// The calls of functions, at any depth, from those that begin a path of creation. The same function may also
/// be called when the process ends.
std::vector<const CallEdge*> create_edges(const ProbedCase& probed) {
    std::set<std::size_t> reached;
    const auto is_in_create = [&](const CallEdge& edge) {
        return edge.parent ? reached.contains(*edge.parent) : kTraced[edge.function].path == Path::create;
    };
    for (bool grows = true; grows;) {
        grows = false;
        for (const CallEdge& edge : probed.edges) {
            if (is_in_create(edge)) grows = reached.insert(edge.function).second || grows;
        }
    }
    std::vector<const CallEdge*> edges;
    for (const CallEdge& edge : probed.edges) {
        if (is_in_create(edge)) edges.push_back(&edge);
    }
    return edges;
}

}  // namespace

std::vector<Added> added(const ProbedCase& probed, const ProbedCase& base) {
    std::map<std::size_t, double> own;
    for (const CallEdge* edge : create_edges(probed)) own[edge->function] += edge->self;
    for (const CallEdge* edge : create_edges(base)) own[edge->function] -= edge->self;
    std::vector<Added> sorted;
    for (const auto& [function, ticks] : own) {
        if (std::abs(ticks) >= 0.5) sorted.push_back({function, ticks});
    }
    std::ranges::stable_sort(sorted, std::ranges::greater{}, &Added::ticks);
    return sorted;
}

double calls_in_create(const ProbedCase& probed) {
    double calls = 0;
    for (const CallEdge* edge : create_edges(probed)) calls += edge->calls;
    return calls;
}

}  // namespace nsb
