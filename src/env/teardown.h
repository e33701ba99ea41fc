// The teardown of namespaces that the kernel leaves to its workers: when it is over, and what it cost.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/kinds.h"
#include "core/traced.h"
#include "sys/kallsyms.h"
#include "sys/tracepoint.h"

namespace nsb::env {

/// How many namespaces of each kind have been left to the workers.
using PendingTeardown = std::array<std::uint32_t, kKinds.size()>;

/// What the teardown of a batch was seen to take.
struct Drained {
    bool complete = false;  ///< every worker was seen to finish
    /// Worker time per namespace in ns, waits included, by kind; nothing for a kind that was not seen to
    /// finish.
    std::array<std::optional<double>, kKinds.size()> per_namespace;
};

/// What the work items of one worker function have done since a batch began.
class WorkerLedger {
  public:
    /// `batches`: one work item for all that is queued, rather than one for each namespace.
    explicit WorkerLedger(bool batches) : batches_(batches) {}

    void queued() { ++queued_; }
    void started(std::uint64_t time);
    void ended(std::uint64_t time);

    /// A new batch begins: what others have queued stays owed, unless events were lost and nothing is known
    /// of it.
    void begin(bool lost);

    /// Whether the teardown of `pending` namespaces is over.
    [[nodiscard]] bool is_done(std::uint32_t pending) const;

    /// Worker time since the batch began, in ns; once is_done().
    [[nodiscard]] double busy() const { return static_cast<double>(busy_); }

  private:
    bool batches_;
    std::uint32_t queued_ = 0, running_ = 0, ended_ = 0;
    std::int64_t busy_ = 0;  // the sum of the ends less the sum of the starts, so items may overlap
};

/// A worker that tears namespaces down.
struct Worker {
    const TracedFunction* function;  ///< that it begins with
    WorkerLedger ledger;
    std::uint64_t address = 0;  ///< of the function; 0: this kernel has none
};

/// Finds those of the table of traced functions among the kernel's symbols.
class WorkerSearch {
  public:
    WorkerSearch();

    /// Looks at one; false where that is the last worker to be found.
    bool see(const sys::KernelSymbol& symbol);

    /// What was found. Refused where the symbols hide addresses, or lack a function that kernels have.
    sys::Expected<std::vector<Worker>> found() &&;

  private:
    std::vector<Worker> workers_;
    bool any_address_ = false;
};

/// The workers' end of the teardown.
class Teardown {
  public:
    Teardown() = default;
    virtual ~Teardown() = default;

    /// Forgets what has been seen: a new batch begins.
    virtual void begin() = 0;

    /// Whether the kernel leaves any of these to workers.
    [[nodiscard]] virtual bool watches(const PendingTeardown& pending) const = 0;

    /// Waits until the workers are done with `pending`, made since begin(), or for `limit`. A batch in which
    /// the kernel dropped events is not complete.
    virtual Drained wait(const PendingTeardown& pending, std::chrono::nanoseconds limit) = 0;

  protected:
    Teardown(const Teardown&) = default;
    Teardown(Teardown&&) = default;
    Teardown& operator=(const Teardown&) = default;
    Teardown& operator=(Teardown&&) = default;
};

/// Watches the work items that destroy net, ipc, user and pid namespaces, through the workqueue tracepoints.
class TeardownWatch : public Teardown {
  public:
    static sys::Expected<TeardownWatch> open();

    void begin() override;
    [[nodiscard]] bool watches(const PendingTeardown& pending) const override;
    Drained wait(const PendingTeardown& pending, std::chrono::nanoseconds limit) override;

  private:
    TeardownWatch(sys::TracepointReader reader, std::vector<Worker> workers)
        : reader_(std::move(reader)), workers_(std::move(workers)) {}
    void follow();
    /// How many of these the worker is to tear down.
    static std::uint32_t pending_for(const Worker& worker, const PendingTeardown& pending);

    sys::TracepointReader reader_;
    std::vector<Worker> workers_;
    std::uint64_t lost_before_ = 0;  // events, until the batch began
};

}  // namespace nsb::env
