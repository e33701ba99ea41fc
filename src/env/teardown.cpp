#include "env/teardown.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace nsb::env {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// The tracepoints, in the order in which open() names them.
enum Event : std::size_t { queued, started, ended };

/// The address of a kernel function; 0 where it is not shown (kernel.kptr_restrict) or does not exist.
std::uint64_t find_symbol(std::string_view name) {
    std::ifstream symbols("/proc/kallsyms");
    std::string line;
    while (std::getline(symbols, line)) {
        // "ffffffff81e4fa40 t cleanup_net"; most lines end in another name, which is cheap to see.
        if (line.size() < name.size() + 3 || !line.ends_with(name) ||
            line[line.size() - name.size() - 1] != ' ') {
            continue;
        }
        return std::strtoull(line.c_str(), nullptr, 16);
    }
    return 0;
}

}  // namespace

tl::expected<TeardownWatch, sys::Refusal> TeardownWatch::open() {
    Workers workers{{
        {Kind::net, "cleanup_net", WorkerLedger(true)},
        {Kind::ipc, "free_ipc", WorkerLedger(true)},
        {Kind::user, "free_user_ns", WorkerLedger(false)},
        {Kind::pid, "destroy_pid_namespace_work", WorkerLedger(false)},
    }};
    std::string filter;
    for (Worker& worker : workers) {
        worker.address = find_symbol(worker.function);
        // Pid namespaces have a worker from 6.16 on.
        if (worker.address == 0 && worker.kind == Kind::pid) continue;
        if (worker.address == 0) {
            return tl::unexpected(sys::Refusal{fmt::format("/proc/kallsyms: {}", worker.function), EPERM});
        }
        filter += fmt::format("{}function=={:#x}", filter.empty() ? "" : "||", worker.address);
    }
    auto reader = sys::TracepointReader::open({{"workqueue/workqueue_queue_work", filter, "function"},
                                               {"workqueue/workqueue_execute_start", filter, "function"},
                                               {"workqueue/workqueue_execute_end", filter, "function"}});
    if (!reader) return tl::unexpected(reader.error());
    return TeardownWatch(std::move(*reader), workers);
}

void WorkerLedger::started(std::uint64_t time) {
    ++running_;
    busy_ -= static_cast<std::int64_t>(time);
}

void WorkerLedger::ended(std::uint64_t time) {
    ++ended_;
    // An item that was running before the batch began has no start to set against.
    if (running_ == 0) return;
    --running_;
    busy_ += static_cast<std::int64_t>(time);
}

void WorkerLedger::begin(bool lost) {
    queued_ = queued_ > ended_ && !lost ? queued_ - ended_ : 0;
    running_ = ended_ = 0;
    busy_ = 0;
}

bool WorkerLedger::is_done(std::uint32_t pending) const {
    if (pending == 0) return true;
    if (running_ > 0) return false;
    // User namespaces are queued from an RCU callback, some time after the last process: each has to be seen.
    // The others are queued by that process's exit: nothing queued beyond what ended means that nothing is
    // left.
    return batches_ ? queued_ > 0 && ended_ >= queued_ : ended_ >= pending;
}

void TeardownWatch::begin() {
    follow();
    for (Worker& worker : workers_) worker.ledger.begin(reader_.lost() > lost_before_);
    lost_before_ = reader_.lost();
}

void TeardownWatch::follow() {
    for (const sys::TraceEvent& event : reader_.take()) {
        for (Worker& worker : workers_) {
            if (event.field != worker.address) continue;
            if (event.spec == queued) worker.ledger.queued();
            if (event.spec == started) worker.ledger.started(event.time);
            if (event.spec == ended) worker.ledger.ended(event.time);
        }
    }
}

std::uint32_t TeardownWatch::pending_for(const Worker& worker, const PendingTeardown& pending) {
    return worker.address == 0 ? 0 : pending[static_cast<std::size_t>(worker.kind)];
}

bool TeardownWatch::watches(const PendingTeardown& pending) const {
    return std::ranges::any_of(workers_,
                               [&](const Worker& worker) { return pending_for(worker, pending) > 0; });
}

Drained TeardownWatch::wait(const PendingTeardown& pending, std::chrono::nanoseconds limit) {
    const auto pending_of = [&](const Worker& worker) { return pending_for(worker, pending); };
    const auto all_done = [&] {
        return std::ranges::all_of(
            workers_, [&](const Worker& worker) { return worker.ledger.is_done(pending_of(worker)); });
    };
    Drained drained;
    const Clock::time_point begin = Clock::now();
    for (follow(); !all_done(); follow()) {
        const auto waited = Clock::now() - begin;
        if (waited >= limit) break;
        // Seldom enough not to disturb, often enough to lose at most a tenth of the wait.
        std::this_thread::sleep_for(std::clamp<Clock::duration>(waited / 10, 200us, 5ms));
    }
    drained.complete = all_done() && reader_.lost() == lost_before_;
    for (const Worker& worker : workers_) {
        if (pending_of(worker) == 0 || !worker.ledger.is_done(pending_of(worker)) || !drained.complete)
            continue;
        drained.per_namespace[static_cast<std::size_t>(worker.kind)] =
            worker.ledger.busy() / pending_of(worker);
    }
    return drained;
}

}  // namespace nsb::env
