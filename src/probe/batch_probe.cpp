#include "probe/batch_probe.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <span>
#include <utility>

#include "batches.skel.h"
#include "bpf/events.h"
#include "probe/attach.h"
#include "probe/batch_ring.h"
#include "probe/state.h"
#include "probe/symbols.h"

namespace nsb::probe {
namespace {

static_assert(kBatchWork == NSB_F_cleanup_net, "the worker whose batches the programs note");

struct CloseBatches {
    void operator()(nsb_batches* skeleton) const { nsb_batches::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<nsb_batches, CloseBatches>;

class BatchProbe final : public BatchSource {
  public:
    BatchProbe(Skeleton skeleton, AllServed functions)
        : skeleton_(std::move(skeleton)), functions_(std::move(functions)) {
        const Served& worker = functions_.each[kBatchWork];
        const Served& gone = functions_.each[kNetGone];
        view_ = {worker.backend, worker.reason, ""};
        if (gone.backend == Backend::none)
            view_.uncounted = fmt::format("{}: {}", kTraced[kNetGone].name, gone.reason);
        missed_ = missed_in_all();
    }

    std::vector<Batch> take() override {
        const std::uint64_t ended = std::atomic_ref(skeleton_->bss->ended).load();
        // Of what was missed since the last look, nobody knows in which batch.
        const auto missed = missed_in_all();
        const bool is_whole = std::exchange(missed_, missed) == missed;
        return ring_.take(std::span(skeleton_->bss->batches), ended, view_.uncounted.empty(), is_whole);
    }

    [[nodiscard]] std::optional<std::uint64_t> lost() const override {
        const auto missed = missed_in_all();
        if (!missed && ring_.overwritten() == 0) return std::nullopt;
        return ring_.overwritten() + missed.value_or(0);
    }

    [[nodiscard]] const BatchView& view() const override { return view_; }

  private:
    /// Runs of the programs that the kernel left out; nothing where it does not count those of each.
    [[nodiscard]] std::optional<std::uint64_t> missed_in_all() const {
        std::uint64_t sum = 0;
        const auto add = [&sum](int program) {
            const auto runs = missed_runs(program);
            sum += runs.value_or(0);
            return runs.has_value();
        };
        for (const std::size_t number : {kBatchWork, kNetGone}) {
            for (const End& end : functions_.each[number].ends) {
                if (!end.program) continue;
                if (!add(end.program.get())) return std::nullopt;
                if (end.link) sum += missed_by_link(end.link);
            }
        }
        const auto& progs = skeleton_->progs;
        const std::array shared{progs.enter_multi, progs.leave_multi};
        for (std::size_t i = 0; i < shared.size(); ++i) {
            if (!functions_.shared[i].link) continue;
            if (!add(bpf_program__fd(shared[i]))) return std::nullopt;
            sum += missed_by_link(functions_.shared[i].link);
        }
        return sum;
    }

    Skeleton skeleton_;
    AllServed functions_;
    BatchView view_;
    BatchRing ring_;
    std::optional<std::uint64_t> missed_;  // when it was looked at last
};

}  // namespace

sys::Expected<std::unique_ptr<BatchSource>> open_batches(Choice choice) {
    if (choice == Choice::tracepoint) return refuse("only tracepoints asked for", 0);
    libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
    auto symbols = Symbols::load();
    if (!symbols) return refuse(std::move(symbols.error().call), symbols.error().error);
    // Without it there is no fentry, and the rest is as it was.
    const std::unique_ptr<btf, FreeBtf> kernel(btf__load_vmlinux_btf());
    Skeleton skeleton(nsb_batches::open());
    if (!skeleton) return refuse("opening the object of batches", errno);
    const auto& progs = skeleton->progs;
    leave_out_multi(progs.enter_multi, progs.leave_multi);
    if (const int error = nsb_batches::load(skeleton.get()); error != 0)
        return refuse("loading the programs of batches", -error);
    const auto enter = code_of(progs.enter);
    const Attacher attacher({enter,
                             code_of(progs.leave),
                             enter,
                             enter,
                             {bpf_program__fd(progs.enter_multi), bpf_program__fd(progs.leave_multi)}},
                            kernel.get(), *symbols, backend_of(choice));
    AllServed functions = attacher.serve(std::array{kBatchWork, kNetGone});
    const Served& worker = functions.each[kBatchWork];
    if (worker.backend == Backend::none)
        return tl::unexpected(
            sys::Refusal{.call = fmt::format("{}: {}", kTraced[kBatchWork].name, worker.reason)});
    return std::make_unique<BatchProbe>(std::move(skeleton), std::move(functions));
}

}  // namespace nsb::probe
