// The batches in which the kernel's worker tears net namespaces down (cleanup_net, net/core/net_namespace.c):
// each takes all that nobody is in any more when it begins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/traced.h"

namespace nsb {

/// One execution of cleanup_net, on CLOCK_MONOTONIC, in ns.
struct Batch {
    std::uint64_t begin, end;
    std::optional<std::uint64_t> namespaces;  ///< that it tore down; nothing where they were not counted
};

/// Of those that a load has seen, as in batches.csv.
struct BatchRow {
    double begin_s = 0;          ///< since the load began
    std::uint64_t duration = 0;  ///< ns
    std::optional<std::uint64_t> namespaces;
};

/// How batches are seen.
struct BatchView {
    Backend backend = Backend::none;
    std::string reason;     ///< why not by a better one, or not at all
    std::string uncounted;  ///< why namespaces are not counted, or not in each batch; empty where they are
};

/// What tells of them.
class BatchSource {
  public:
    BatchSource() = default;
    virtual ~BatchSource() = default;
    BatchSource(const BatchSource&) = delete;
    BatchSource& operator=(const BatchSource&) = delete;

    /// Those that have ended since the last call, in their order. To be called many times a second: there is
    /// room for some hundreds of events of each CPU (sys/tracepoint.cpp), or some thousands of batches
    /// (bpf/events.h).
    virtual std::vector<Batch> take() = 0;

    /// Batches, or events of theirs, that there was no room for, or that the kernel left out; nothing where
    /// the kernel does not count what it leaves out.
    [[nodiscard]] virtual std::optional<std::uint64_t> lost() const = 0;

    [[nodiscard]] virtual const BatchView& view() const = 0;
};

/// The traced function that a worker of this kind begins with, or that is called once for each namespace that
/// is gone: its number. The table has one of each for net.
constexpr std::size_t traced_number(Kind kind, Role role) {
    const auto* const at = std::ranges::find_if(
        kTraced, [&](const TracedFunction& f) { return f.kind == kind && f.role == role; });
    return static_cast<std::size_t>(at - kTraced.begin());
}
inline constexpr std::size_t kBatchWork = traced_number(Kind::net, Role::batch_work);
inline constexpr std::size_t kNetGone = traced_number(Kind::net, Role::gone);
static_assert(kBatchWork < kTraced.size() && kNetGone < kTraced.size());

}  // namespace nsb
