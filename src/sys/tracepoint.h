// Kernel tracepoints through perf_event_open(2): no file system is mounted anywhere, and all of it goes with
// the process, however that ends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/protocol.h"
#include "sys/fd.h"
#include "sys/refusal.h"
#include "sys/trace_record.h"

namespace nsb::sys {

struct TracepointSpec {
    std::string name;    ///< "workqueue/workqueue_execute_end"
    std::string filter;  ///< in the language of tracefs's filter files
    std::string field;   ///< one pointer-sized field to deliver with each event
};

/// Reads several tracepoints on all online CPUs. Needs CAP_PERFMON (or root) and tracefs in the kernel.
class TracepointReader {
  public:
    static Expected<TracepointReader> open(const std::vector<TracepointSpec>& specs);
    TracepointReader(TracepointReader&&) noexcept;
    TracepointReader& operator=(TracepointReader&&) noexcept;
    ~TracepointReader();

    /// What has happened since the last call, in the order of time.
    std::vector<TraceEvent> take();

    /// Events that the kernel dropped because a buffer was full, as far as it has said how many; and one for
    /// each time that a buffer was found full, since the kernel says so only with the CPU's next event.
    [[nodiscard]] std::uint64_t lost() const;

  private:
    struct State;
    explicit TracepointReader(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace nsb::sys
