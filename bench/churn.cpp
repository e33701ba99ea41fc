#include "churn.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <algorithm>
#include <atomic>
#include <csignal>

#include "block.h"
#include "core/churn.h"
#include "sys/patience.h"

namespace nsb::bench {
namespace {

using churn::Control;
using churn::Group;
using churn::Loop;

/// What a clone of the plan has unless told otherwise: untouched, it costs nothing.
constexpr std::size_t kStack = 1U << 20U;
/// No worker sleeps for longer without a look at whether it is to stop, and whether nsbench is there.
constexpr std::uint64_t kLook = 100'000'000;
/// After a call that failed: twice as long each time, so that a limit that lasts does not take a CPU.
constexpr std::uint64_t kFirstPause = 1'000'000;
/// From the last worker's arrival at a burst's barrier until it begins: so long all need to fall asleep.
constexpr std::uint64_t kGathering = 10'000'000;
constexpr std::uint64_t kGatheringOfEach = 100'000;

timespec timespec_of(std::uint64_t ns) {
    return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
}

/// Waits for another process to change the word, or for a while.
void wait_for_change(std::uint32_t& word, std::uint32_t value) {
    const timespec limit = timespec_of(kLook);
    (void)syscall(SYS_futex, &word, FUTEX_WAIT, value, &limit, nullptr, 0);
}

void wake_all(std::uint32_t& word) {
    (void)syscall(SYS_futex, &word, FUTEX_WAKE, 1U << 30U, nullptr, nullptr, 0);
}

int leave(void* /*argument*/) {
    return 0;
}

class Worker {
  public:
    Worker(Control& control, std::uint32_t number, const Group& group, const sys::Stack& stack)
        : control_(control),
          group_(group),
          stack_(stack),
          ring_(control.rings[number]),
          records_(reinterpret_cast<churn::Record*>(reinterpret_cast<char*>(&control) + churn::records_at()) +
                   std::size_t{number} * control.ring_records) {
        options_.flags = group.set.flags();
        // The one call that has a flag for time namespaces.
        options_.use_clone3 = group.set.contains(Kind::time);
        // A first write to each page takes a fault, which would be the load's.
        std::fill_n(records_, control.ring_records, churn::Record{});
    }

    void run() {
        std::atomic_ref(control_.ready).fetch_add(1);
        while (std::atomic_ref(control_.go).load() == 0) {
            if (is_to_stop()) return;
            wait_for_change(control_.go, 0);
        }
        end_ = control_.begin_ns + control_.duration_ns;
        if (group_.loop == Loop::burst) return run_bursts();
        if (!sleep_until(control_.begin_ns)) return;
        return group_.loop == Loop::open ? run_open() : run_closed();
    }

  private:
    [[nodiscard]] bool is_to_stop() const {
        return std::atomic_ref(control_.stop).load() != 0 || sys::is_hung_up(protocol::kSocket);
    }

    /// False once the load is to end.
    [[nodiscard]] bool sleep_until(std::uint64_t moment) const {
        for (std::uint64_t now = sys::now(); now < moment; now = sys::now()) {
            if (is_to_stop()) return false;
            const timespec next = timespec_of(std::min(moment, now + kLook));
            (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr);
        }
        return std::atomic_ref(control_.stop).load() == 0;
    }

    void run_closed() {
        std::uint64_t looked = sys::now();
        std::uint64_t pause = kFirstPause;
        for (;;) {
            const std::uint64_t begin = sys::now();
            if (begin >= end_ || std::atomic_ref(control_.stop).load() != 0) return;
            if (begin - looked >= kLook) {
                if (is_to_stop()) return;
                looked = begin;
            }
            if (carry_out(0)) {
                pause = kFirstPause;
                continue;
            }
            if (!sleep_until(sys::now() + pause)) return;
            pause = std::min(2 * pause, kLook);
        }
    }

    /// Arrivals are taken in their order by whichever worker is free: as many servers of one queue. What is
    /// due and not taken by the end is left, and counted by nsbench.
    void run_open() {
        for (;;) {
            const std::uint64_t number = std::atomic_ref(control_.arrivals).fetch_add(1);
            const std::uint64_t intended =
                control_.begin_ns +
                static_cast<std::uint64_t>(static_cast<double>(number) * group_.period_ns);
            if (intended >= end_ || !sleep_until(intended) || sys::now() >= end_) return;
            (void)carry_out(intended);
        }
    }

    void run_bursts() {
        for (;;) {
            const std::uint64_t begin = meet_for_burst();
            if (begin == 0 || begin >= end_ || !sleep_until(begin)) return;
            (void)carry_out(begin);
        }
    }

    /// When the next one begins; 0 where there is none.
    [[nodiscard]] std::uint64_t meet_for_burst() const {
        const std::atomic_ref burst(control_.burst);
        const std::uint32_t last = burst.load();
        if (std::atomic_ref(control_.arrived).fetch_add(1) + 1 == group_.workers) {
            const std::uint64_t gathering =
                std::max(last == 0 ? 0 : group_.pause_ns, kGathering + group_.workers * kGatheringOfEach);
            control_.burst_begin_ns = std::max(sys::now() + gathering, control_.begin_ns);
            std::atomic_ref(control_.arrived).store(0);
            burst.store(last + 1);
            wake_all(control_.burst);
        }
        while (burst.load() == last) {
            if (is_to_stop()) return 0;
            wait_for_change(control_.burst, last);
        }
        return group_.bursts != 0 && burst.load() > group_.bursts ? 0 : control_.burst_begin_ns;
    }

    /// One operation; `intended` is 0 where it is to begin now. False where it failed.
    bool carry_out(std::uint64_t intended) {
        churn::Record record{};
        record.start = sys::now();
        record.intended = intended == 0 ? record.start : intended;
        const auto pid = sys::clone_child(options_, stack_, leave, nullptr);
        record.created = sys::now();
        if (pid) {
            record.failure = reap_child(*pid);
        } else {
            record.failure = {options_.use_clone3 ? Call::clone3 : Call::clone, pid.error()};
        }
        record.end = sys::now();
        put(record);
        return record.failure.error == 0;
    }

    /// A record that has no room is counted: to wait for room would change the load.
    void put(const churn::Record& record) {
        if (ring_.written - std::atomic_ref(ring_.read).load() == control_.ring_records) {
            std::atomic_ref(ring_.unrecorded).fetch_add(1);
            return;
        }
        records_[ring_.written % control_.ring_records] = record;
        std::atomic_ref(ring_.written).store(ring_.written + 1);
    }

    Control& control_;
    const Group& group_;
    const sys::Stack& stack_;
    churn::Ring& ring_;
    churn::Record* records_;
    sys::CloneOptions options_;
    std::uint64_t end_ = 0;
};

/// In a worker's process.
[[noreturn]] void work(Control& control, std::size_t bytes, std::uint32_t number, const Group& group,
                       pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1UL);
    if (getppid() != parent) _exit(1);
    // Of what it shares with nsbench its children get nothing: a fork copies each mapping.
    if (madvise(&control, bytes, MADV_DONTFORK) != 0) _exit(1);
    const auto stack = sys::Stack::map(kStack, false);
    if (!stack) _exit(1);
    Worker(control, number, group, *stack).run();
    _exit(0);
}

bool start_workers(Control& control, std::size_t bytes) {
    const pid_t self = getpid();
    std::uint32_t number = 0;
    for (const Group& group : control.groups) {
        for (std::uint32_t i = 0; i < group.workers; ++i, ++number) {
            const auto pid = sys::plain_fork();
            if (pid && *pid == 0) work(control, bytes, number, group, self);
            if (pid) continue;
            control.not_started = {Call::clone, pid.error()};
            return false;
        }
    }
    return true;
}

/// A load that has lost a worker is not the one that was asked for: it ends.
void watch_workers(Control& control) {
    int status = 0;
    while (sys::retried([&] { return waitpid(-1, &status, 0); }) > 0) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        std::atomic_ref(control.died).fetch_add(1);
        std::atomic_ref(control.stop).store(1);
    }
    std::atomic_ref(control.ended).store(1);
}

}  // namespace

int serve_churn() {
    prctl(PR_SET_NAME, "nsbench-sampler");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct stat memory {};
    if (fstat(protocol::kMemory, &memory) != 0) return 1;
    const auto bytes = static_cast<std::size_t>(memory.st_size);
    void* const mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, protocol::kMemory, 0);
    if (mapping == MAP_FAILED) return 1;
    auto& control = *static_cast<Control*>(mapping);
    // PDEATHSIG is of a parent that ends later: one that has ended by now is seen by its socket.
    if (sys::is_hung_up(protocol::kSocket)) return 1;
    if (!start_workers(control, bytes)) std::atomic_ref(control.stop).store(1);
    watch_workers(control);
    return 0;
}

}  // namespace nsb::bench
