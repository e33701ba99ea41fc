// The batches of cleanup_net as tracepoints tell of them, which each kernel has.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/batch.h"
#include "sys/refusal.h"
#include "sys/tracepoint.h"

namespace nsb::env {

/// What events of tracepoints come to: work items of cleanup_net, and frees that it makes once for each
/// namespace. Events have to come in the order of time.
class BatchLedger {
  public:
    void began(std::uint64_t time);
    /// A free, told by where in the kernel it was made: of one function may be several of a namespace.
    void freed(std::uint64_t call_site);
    /// A batch whose begin was not seen is none.
    void ended(std::uint64_t time);
    /// Events are missing: whatever is under way is not counted.
    void lost() { is_whole_ = false; }

    /// Those that have ended since the last call.
    std::vector<Batch> take() { return std::exchange(batches_, {}); }

  private:
    std::uint64_t begin_ = 0;  // 0: none is under way
    bool is_whole_ = true;
    std::map<std::uint64_t, std::uint64_t> frees_;  // by call site
    std::vector<Batch> batches_;
};

/// Where a function lies in memory.
struct TextRange {
    std::uint64_t begin, end;
};
/// By what /proc/kallsyms says; nothing where it does not have it, or shows no addresses.
std::optional<TextRange> find_text(std::string_view kallsyms, std::string_view function);

/// `reason`: why there is no better view. Refused where tracepoints cannot be had, or the kernel hides
/// addresses.
sys::Expected<std::unique_ptr<BatchSource>> watch_batches(std::string reason);

}  // namespace nsb::env
