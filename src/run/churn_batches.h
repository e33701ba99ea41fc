// The batches in which a load's net namespaces are torn down: what was seen of them, in memory that does not
// grow beyond a limit.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/histogram.h"

namespace nsb::run {

/// batches.csv has no more rows: those of an hour at 55 a second.
inline constexpr std::size_t kMostBatchRows = 200'000;

/// Why BatchSource::lost() is nothing.
inline constexpr const char* kLostUnknown =
    "this kernel does not count the runs of programs that it leaves out";

struct BatchFigures {
    BatchView view;  ///< of backend none where batches cannot be seen
    std::vector<BatchRow> rows;
    std::uint64_t count = 0;  ///< those that have no row, too
    std::uint64_t busy = 0;   ///< ns, in all of them
    Latencies durations;
    /// Of those that were counted: how many namespaces, as far as `namespaces.count` is not 0.
    Latencies namespaces;
    std::uint64_t namespaces_sum = 0;
    std::optional<std::uint64_t> lost;  ///< as BatchSource says
};

class BatchRecorder {
  public:
    /// Of the batches that begin from this moment of the clock on.
    BatchRecorder(BatchSource& source, std::uint64_t begin_ns) : source_(source), begin_ns_(begin_ns) {}

    /// Takes what there is; to be called often.
    void take();

    /// Until now. Counts of which none is above 0 are none: a batch is there because a namespace went, so
    /// whatever was to be counted is not called on this kernel. `view.uncounted` then says so, and where some
    /// batches alone are counted why the others are not.
    [[nodiscard]] BatchFigures figures() const;

  private:
    BatchSource& source_;
    std::uint64_t begin_ns_;
    std::vector<BatchRow> rows_;
    std::uint64_t busy_ = 0, namespaces_sum_ = 0;
    Histogram durations_, namespaces_;
};

}  // namespace nsb::run
