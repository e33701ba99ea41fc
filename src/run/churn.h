// A load of namespaces from its begin until the kernel has settled.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/load.h"
#include "run/churn_batches.h"
#include "run/churn_plan.h"
#include "run/churn_recorder.h"
#include "run/run_info.h"

namespace nsb::run {

/// How a load ended.
struct LoadEnd {
    enum class Because : std::uint8_t {
        unfinished,   ///< it has not: in what is saved meanwhile, and stays of one that was killed
        time,         ///< it did not: its time was over, or its bursts done
        signal,       ///< somebody asked for it
        limit,        ///< a limit of this place lasted
        unsupported,  ///< not permitted or not to be had here
        fault         ///< a worker was killed, or a call failed for another reason
    };
    Because because = Because::unfinished;
    std::string why;  ///< in words; empty for its time, or a signal
};

struct ChurnResult {
    LoadEnd end;
    int interrupted_by = 0;
    std::vector<LoadRow> rows, long_rows;  ///< of load and drain; long_rows are few
    std::vector<BurstRow> bursts;
    double seconds = 0;  ///< of the load
    Tally total, background;
    Held held;  ///< open loop
    double rate_at_end = 0;
    std::uint64_t unserved = 0;    ///< open loop: arrivals that were due at the end, and not done
    std::uint64_t unrecorded = 0;  ///< operations that were done and are in no figure
    KernelUse before;
    std::vector<std::string> caches;      ///< in which namespaces are counted
    std::string not_counted;              ///< why they are not
    std::string teardown_unseen;          ///< why the kernel's workers are not seen; empty where they are
    double drained_s = 0;                 ///< how long it was watched after the load
    std::optional<double> settled_s;      ///< after the load
    bool was_drained = false;             ///< not after a signal, nor where the kernel tells nothing
    std::optional<BatchFigures> batches;  ///< nothing where they were not asked for
    std::optional<Capabilities> capabilities;  ///< of the workers; nothing where they did not say

    [[nodiscard]] double rate() const {
        return seconds > 0 ? static_cast<double>(total.done()) / seconds : 0;
    }
    [[nodiscard]] std::uint64_t failed() const { return count_of(total.errors); }
};

struct ChurnHooks {
    std::function<void(const std::string& line)> tell;  ///< how far it is
    std::function<void(const std::string& text)> warn;  ///< what is to be known of the load, before it begins
    std::function<void(const ChurnResult& so_far)>
        save;  ///< after the first interval, every few seconds, and not at the end
};

/// When calls that fail are no longer counted, but end the load: at once where they never can do, and where a
/// limit is in the way once they have failed again and again for a while, and none has succeeded meanwhile.
class FailureWatch {
  public:
    /// Records of several workers come in any order.
    void see(const churn::Record& record);
    /// Nothing as long as it may go on.
    [[nodiscard]] std::optional<LoadEnd> end(KindSet set) const;

  private:
    protocol::Failure last_{};
    // On the clock: the last success; of the failures behind it the first, and the last. 0: there is none.
    std::uint64_t succeeded_ = 0, failing_since_ = 0, failed_ = 0;
};
inline constexpr std::chrono::seconds kPatienceWithLimits{2};

/// Carries the load out, and watches the kernel until it has settled. Signals end the load, or the watching.
/// `batches` are noted meanwhile, if there are any to be. Throws sys::SystemError where it cannot be started.
ChurnResult carry_out(const ChurnPlan& plan, const ChurnHooks& hooks, BatchSource* batches = nullptr);

/// All that is known of a load: what its files and its summary are made of.
struct ChurnReport {
    const RunStart& start;
    const ChurnPlan& plan;
    bool in_userns;
    const ChurnResult& result;
};

/// churn.json, and what is said of the load to people.
std::string churn_json(const ChurnReport& report);
std::string churn_table(const ChurnReport& report);
std::string churn_summary(const ChurnReport& report);

}  // namespace nsb::run
