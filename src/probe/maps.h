// What the probe's programs have left in their maps, as values. They are read while programs may still write
// to them: whatever stands there, a node, a function or a stack that there is not is left out.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bpf/events.h"
#include "probe/probe.h"
#include "probe/symbols.h"

namespace nsb::probe {

/// The maps that are arrays. Calls have NSB_ROWS times NSB_NODES elements, buckets NSB_BUCKETS for each
/// traced function, objects one, and lost NSB_LOST_REASONS.
struct Maps {
    std::span<const nsb_calls> calls;
    std::span<const __u64> buckets, lost;
    std::span<const nsb_objects> objects;
};

/// The nodes of the call tree by their numbers, the first of which is the root.
class NodeNames {
  public:
    /// Adds the next one by its name (bpf/events.h). Where two CPUs numbered the same calls, the first number
    /// stands for both.
    void add(std::uint32_t name);
    [[nodiscard]] std::span<const CallEntry> nodes() const { return nodes_; }

  private:
    std::vector<CallEntry> nodes_{{NSB_ROOT, NSB_ROOT, 0, {}}};
};

/// All of it but the profile.
Snapshot snapshot_of(const Maps& maps, std::span<const CallEntry> nodes);

/// An entry of the profile; `stack` outlives it. Nothing where it counts what there is not (nsb_what).
std::optional<ProfileEntry> entry_of(const nsb_profile_key& key, const nsb_profile& value,
                                     const std::vector<std::string>& stack);

/// The functions of a stack, innermost first, as far as they have names.
std::vector<std::string> functions_on(const nsb_stack& stack, const Symbols& symbols);

}  // namespace nsb::probe
