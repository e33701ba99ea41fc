#include "env/teardown.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "sys/file.h"
#include "sys/kallsyms.h"

namespace nsb::env {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// The tracepoints, in the order in which open() names them.
enum Event : std::size_t { queued, started, ended };

}  // namespace

WorkerSearch::WorkerSearch() {
    for (const TracedFunction& function : kTraced) {
        if (is_work(function.role))
            workers_.push_back({&function, WorkerLedger(function.role == Role::batch_work)});
    }
}

bool WorkerSearch::see(const sys::KernelSymbol& symbol) {
    if (symbol.address == 0) return true;
    any_address_ = true;
    const auto worker =
        std::ranges::find(workers_, symbol.name, [](const Worker& one) { return one.function->name; });
    if (worker != workers_.end() && worker->address == 0) worker->address = symbol.address;
    return worker == workers_.end() ||
           std::ranges::any_of(workers_, [](const Worker& one) { return one.address == 0; });
}

sys::Expected<std::vector<Worker>> WorkerSearch::found() && {
    if (!any_address_) {
        return tl::unexpected(
            sys::Refusal{.call = fmt::format("{} shows no addresses", sys::kKernelSymbols), .error = EPERM});
    }
    for (const Worker& worker : workers_) {
        if (worker.address != 0 || worker.function->role == Role::new_work) continue;
        return tl::unexpected(sys::Refusal{
            .call = fmt::format("{}: {}", sys::kKernelSymbols, worker.function->name), .error = ENOENT});
    }
    return std::move(workers_);
}

sys::Expected<TeardownWatch> TeardownWatch::open() {
    WorkerSearch search;
    const auto read = sys::read_lines(sys::kKernelSymbols, [&](std::string_view line) {
        const auto symbol = sys::kernel_symbol(line);
        return !symbol || search.see(*symbol);
    });
    if (!read) return tl::unexpected(sys::Refusal{.call = sys::kKernelSymbols, .error = read.error()});
    auto workers = std::move(search).found();
    if (!workers) return tl::unexpected(workers.error());
    std::string filter;
    for (const Worker& worker : *workers) {
        if (worker.address == 0) continue;
        filter += fmt::format("{}function=={:#x}", filter.empty() ? "" : "||", worker.address);
    }
    auto reader = sys::TracepointReader::open({{"workqueue/workqueue_queue_work", filter, "function"},
                                               {"workqueue/workqueue_execute_start", filter, "function"},
                                               {"workqueue/workqueue_execute_end", filter, "function"}});
    if (!reader) return tl::unexpected(reader.error());
    return TeardownWatch(std::move(*reader), std::move(*workers));
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
    if (ended_ < queued_) return false;
    // User namespaces are queued from an RCU callback, some time after the last process: each has to be seen.
    // The others are queued by that process's exit: nothing queued beyond what ended means that nothing is
    // left.
    return batches_ ? queued_ > 0 : ended_ >= pending;
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
    return worker.address == 0 ? 0 : pending[static_cast<std::size_t>(*worker.function->kind)];
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
        drained.per_namespace[static_cast<std::size_t>(*worker.function->kind)] =
            worker.ledger.busy() / pending_of(worker);
    }
    return drained;
}

}  // namespace nsb::env
