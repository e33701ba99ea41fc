// The call tree of a case: what each traced function took on each path of callers, from traced calls or from
// stacks.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/probed.h"
#include "probe/attribution.h"

namespace nsb::probe {

/// A node of the call tree with its sums per execution: of all executions, and of the typical ones.
struct Node {
    std::optional<std::size_t> caller;  ///< into CallTree::nodes
    std::uint32_t function = 0;
    bool async = false;
    double calls = 0, inside = 0, max = 0;
    double typical_calls = 0, self = 0, waiting = 0;
    double callees = 0;  ///< typical calls of traced functions straight from it
};

/// The nodes of a case's traced calls, callers before callees.
class CallTree {
  public:
    explicit CallTree(const Observations& seen);
    [[nodiscard]] std::span<const Node> nodes() const { return nodes_; }
    /// Ticks per execution that the sampler waited for its CPU on the way back from the system call.
    [[nodiscard]] double preempted() const { return preempted_; }

    /// With the probe's cost taken off.
    [[nodiscard]] std::vector<CallNode> calls(Operation operation, const CallCost& cost) const;

  private:
    void add(std::span<const CallEntry> entries, bool async, double weight_of_all, double weight_of_typical);
    Node& at(const CallEntry& entry, bool async);

    std::vector<Node> nodes_;
    std::map<std::pair<bool, std::uint32_t>, std::size_t> numbers_;
    double preempted_ = 0;
};

/// The same from stacks, whose times are estimates and whose calls are unknown, and from what tracepoints
/// tell of workers (`workers`).
std::vector<CallNode> sampled_calls(const Observations& seen, const CallTree& workers, Operation operation);

/// What an entry of the profile or of the tree counts once, per execution.
double weight(const Observations& seen, bool async);

/// `value` without what is taken off, and not below 0.
double subtract(double value, double taken_off);

/// The traced functions of a stack, innermost first.
std::vector<std::size_t> traced_on(const std::vector<std::string>& stack);

}  // namespace nsb::probe
