#include "env/batch_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sys/clock.h"
#include "sys/file.h"
#include "sys/kallsyms.h"

namespace nsb::env {
namespace {

/// Called once for each namespace that goes, it frees `sysctl_local_reserved_ports` by itself
/// (net/ipv4/sysctl_net_ipv4.c, from 4.x to 7.x). What it frees last may be a call of its caller's by the
/// compiler's doing, and does not count.
constexpr std::string_view kFreesOnce = "ipv4_sysctl_exit_net";

/// The tracepoints, in the order in which open_reader() names them.
enum Event : std::size_t { started, ended, freed };

sys::Expected<sys::TracepointReader> open_reader(const TextRange& work,
                                                 const std::optional<TextRange>& frees) {
    const std::string filter = fmt::format("function=={:#x}", work.begin);
    std::vector<sys::TracepointSpec> specs{{"workqueue/workqueue_execute_start", filter, "function"},
                                           {"workqueue/workqueue_execute_end", filter, "function"}};
    if (frees) {
        specs.push_back({"kmem/kfree",
                         fmt::format("call_site>={:#x}&&call_site<{:#x}", frees->begin, frees->end),
                         "call_site"});
    }
    return sys::TracepointReader::open(specs);
}

class BatchWatch final : public BatchSource {
  public:
    BatchWatch(sys::TracepointReader reader, BatchView view)
        : reader_(std::move(reader)), view_(std::move(view)) {}

    std::vector<Batch> take() override {
        // The buffers of several CPUs are read one after the other: what happened meanwhile may be in one and
        // not in another yet.
        const std::uint64_t until = sys::now();
        const auto taken = reader_.take();
        kept_.insert(kept_.end(), taken.begin(), taken.end());
        std::ranges::stable_sort(kept_, {}, &sys::TraceEvent::time);
        const auto end = std::ranges::lower_bound(kept_, until, {}, &sys::TraceEvent::time);
        for (auto event = kept_.begin(); event != end; ++event) {
            if (event->spec == Event::started) ledger_.began(event->time);
            if (event->spec == Event::freed) ledger_.freed(event->field);
            if (event->spec == Event::ended) ledger_.ended(event->time);
        }
        kept_.erase(kept_.begin(), end);
        const bool is_whole = std::exchange(lost_, reader_.lost()) == reader_.lost();
        if (!is_whole) ledger_.lost();
        std::vector<Batch> batches = ledger_.take();
        for (Batch& batch : batches) {
            if (!is_whole || !view_.uncounted.empty()) batch.namespaces.reset();
        }
        return batches;
    }

    [[nodiscard]] std::optional<std::uint64_t> lost() const override { return reader_.lost(); }
    [[nodiscard]] const BatchView& view() const override { return view_; }

  private:
    sys::TracepointReader reader_;
    BatchView view_;
    BatchLedger ledger_;
    std::vector<sys::TraceEvent> kept_;  // that earlier ones may still come before
    std::uint64_t lost_ = 0;
};

}  // namespace

void BatchLedger::began(std::uint64_t time) {
    begin_ = time;
    frees_.clear();
}

void BatchLedger::freed(std::uint64_t call_site) {
    if (begin_ != 0) ++frees_[call_site];
}

void BatchLedger::ended(std::uint64_t time) {
    if (begin_ == 0) return;
    std::uint64_t most = 0;
    for (const auto& [site, times] : frees_) most = std::max(most, times);
    batches_.push_back({begin_, time, is_whole_ ? std::optional(most) : std::nullopt});
    begin_ = 0;
    is_whole_ = true;
}

std::optional<TextRange> find_text(std::string_view kallsyms, std::string_view function) {
    TextRange range{0, ~std::uint64_t{0}};
    sys::each_kernel_symbol(kallsyms, [&](const sys::KernelSymbol& symbol) {
        if (range.begin == 0 && symbol.name == function) range.begin = symbol.address;
    });
    if (range.begin == 0) return std::nullopt;
    sys::each_kernel_symbol(kallsyms, [&](const sys::KernelSymbol& symbol) {
        if (symbol.address > range.begin) range.end = std::min(range.end, symbol.address);
    });
    if (range.begin == range.end) return std::nullopt;  // the last address of all: a lie, or not code
    return range;
}

sys::Expected<std::unique_ptr<BatchSource>> watch_batches(std::string reason) {
    const auto text = sys::read_file(sys::kKernelSymbols);
    if (!text) return tl::unexpected(sys::Refusal{.call = sys::kKernelSymbols, .error = text.error()});
    const std::string_view work_name = kTraced[kBatchWork].name;
    const auto work = find_text(*text, work_name);
    if (!work) {
        return tl::unexpected(
            sys::Refusal{.call = fmt::format("{} shows no address of {}", sys::kKernelSymbols, work_name),
                         .error = EPERM});
    }
    BatchView view{Backend::tracepoint, std::move(reason), ""};
    const auto frees = find_text(*text, kFreesOnce);
    if (!frees)
        view.uncounted = fmt::format("no {} in this kernel, whose frees would be counted", kFreesOnce);
    auto reader = open_reader(*work, frees);
    if (!reader && frees) {
        view.uncounted = reader.error().text();
        reader = open_reader(*work, std::nullopt);
    }
    if (!reader) return tl::unexpected(reader.error());
    return std::make_unique<BatchWatch>(std::move(*reader), std::move(view));
}

}  // namespace nsb::env
