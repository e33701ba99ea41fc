// The eBPF probe: attaches to the kernel, follows the samplers, and says what they and the workers behind
// them did.
#pragma once

#include <linux/types.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bpf/events.h"
#include "core/traced.h"
#include "sys/refusal.h"

namespace nsb::probe {

/// What was asked for.
enum class Choice : std::uint8_t { automatic, fentry, kprobe, tracepoint };

/// What is attached at a time: each disturbs, so they are apart.
enum class Pass : std::uint8_t {
    functions,  ///< every call of every traced function is timed
    stacks,     ///< stacks at a steady rate and at each wait
    memory      ///< allocations and frees
};

/// An entry of the profile: what happened so often, and how much, on one stack.
struct ProfileEntry {
    const std::vector<std::string>* stack;  ///< innermost function first; owned by the probe
    nsb_what what;                          ///< NSB_FREED apart
    bool freed;
    bool async;
    std::uint64_t count, sum;
};

/// A node of the call tree and its sums. A caller's number is smaller than its callees'.
struct CallEntry {
    std::uint32_t node;
    std::uint32_t caller;  ///< a node, or NSB_ROOT
    std::uint32_t function;
    nsb_calls sums;
};

/// Adds calls up, so that each node is there once.
void add(std::vector<CallEntry>& to, std::span<const CallEntry> calls);

/// Sums since begin().
struct Snapshot {
    std::vector<CallEntry> calls;  ///< each node once, of the followed tasks
    /// The same of the first NSB_EXECUTIONS executions, one by one in their order.
    std::vector<std::vector<CallEntry>> executions;
    std::vector<CallEntry> async;                                    ///< of the workers
    std::array<std::vector<std::uint64_t>, kTraced.size()> buckets;  ///< empty where it was never called
    std::vector<ProfileEntry> profile;
    std::array<nsb_objects, kTraced.size()> objects{};
    std::array<std::uint64_t, NSB_LOST_REASONS> lost{};

    /// Adds up all but the executions.
    Snapshot& operator+=(const Snapshot& other);
};

/// The sampling clock's period: 1 kHz disturbs little, and is no multiple of anything that is measured.
inline constexpr std::uint64_t kSamplingPeriodNs = 997'000;

class Probe {
  public:
    /// Loads the programs. Refused without CAP_BPF and CAP_PERFMON, without BTF, inside a pid namespace, or
    /// where a forced backend serves no function at all.
    /// Functions of other kinds than `kinds` are left alone: tracing them would only cost.
    static sys::Expected<Probe> open(Choice choice, KindSet kinds);
    Probe(Probe&&) noexcept;
    ~Probe();

    /// Attaches what a pass needs, in place of what was attached. The error names the call.
    sys::Expected<void> attach(Pass pass);
    void detach();

    /// Forgets what was seen and follows these processes and their children, from after each one's first
    /// `lead_in` forks on. What workers do is seen from the beginning. The error names the call.
    sys::Expected<void> begin(std::span<const pid_t> samplers, std::uint32_t lead_in);

    /// Lets them go; what they made until now is followed on, until it is freed.
    sys::Expected<void> follow_no_more();

    [[nodiscard]] Snapshot read();

    /// By function: how the last pass over functions served it.
    struct Service {
        Backend backend = Backend::none;
        std::string reason;
        std::optional<std::uint64_t> missed;  ///< in the whole run
    };
    [[nodiscard]] std::vector<Service> services() const;

    /// Runs of programs that the kernel left out in the whole run, as far as it counts them.
    struct Missed {
        std::uint64_t calls;  ///< of all functions, with those that no function's own number has
        std::uint64_t switches, forks, ticks, allocations;
    };
    [[nodiscard]] Missed missed_in_all() const;

    /// Whether any function is traced call by call; else times come from samples of stacks.
    [[nodiscard]] bool traces_calls() const;

  private:
    struct State;
    explicit Probe(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace nsb::probe
