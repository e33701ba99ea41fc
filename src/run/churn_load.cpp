#include "run/churn_load.h"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <atomic>
#include <thread>

#include "run/churn_ring.h"
#include "run/greet.h"
#include "run/needs.h"
#include "run/sampler.h"
#include "sys/clock.h"
#include "sys/error.h"

namespace nsb::run {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr const char* kName = "nsbench-churn";
/// For all workers to be started, of which there may be a thousand.
constexpr auto kBeginning = 30s;
/// From the word to begin until they do: so long all need to wake up and fall asleep again.
constexpr std::uint64_t kHeadStart = 20'000'000;
constexpr std::uint64_t kHeadStartOfEach = 100'000;

}  // namespace

ChurnLoad::ChurnLoad(const ChurnPlan& plan)
    : keep_(needed_by(plan.cases(), {})),
      workers_(plan.all_workers()),
      first_workers_(plan.workers),
      bytes_(churn::mapping_bytes(workers_, churn::ring_records(workers_))),
      memory_file_(static_cast<int>(sys::must(memfd_create(kName, MFD_CLOEXEC), "memfd_create", kName))) {
    sys::must(ftruncate(memory_file_.get(), static_cast<off_t>(bytes_)), "ftruncate", kName);
    // All of it is there before the load begins: no page is made during it.
    void* const mapping =
        mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory_file_.get(), 0);
    if (mapping == MAP_FAILED) throw sys::SystemError("mmap", kName, errno);
    control_ = static_cast<churn::Control*>(mapping);
    try {
        fill(plan);
        int ends[2];
        sys::must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
        socket_ = sys::Fd(ends[0]);
        sys::Fd other(ends[1]);
        const std::filesystem::path program = find_sampler();
        process_.emplace(program, std::vector<int>{other.get(), memory_file_.get()},
                         std::vector<std::string>{"churn", keeping(keep_)});
        other.reset();
        privilege_ = greet(socket_, *process_, program);
        wait_until_ready();
    } catch (...) {
        kill();
        unmap();
        throw;
    }
}

ChurnLoad::~ChurnLoad() {
    stop();
    kill();
    unmap();
}

void ChurnLoad::unmap() {
    munmap(control_, bytes_);
}

void ChurnLoad::fill(const ChurnPlan& plan) {
    control_->groups[0] = {plan.set,
                           plan.loop,
                           plan.workers,
                           plan.loop == churn::Loop::open ? plan.period_ns() : 0,
                           static_cast<std::uint64_t>(plan.pause.count()),
                           plan.bursts};
    if (plan.background) {
        control_->groups[1] = {plan.background->set, churn::Loop::closed, plan.background->workers, 0, 0, 0};
    }
    control_->duration_ns = static_cast<std::uint64_t>(plan.duration.count());
    control_->ring_records = churn::ring_records(workers_);
}

void ChurnLoad::wait_until_ready() {
    const Clock::time_point end = Clock::now() + kBeginning;
    while (std::atomic_ref(control_->ready).load() < workers_) {
        if (is_over() || Clock::now() > end || died() > 0) {
            const int error = control_->not_started.error;
            throw sys::SystemError("clone", fmt::format("one of {} workers of the load", workers_),
                                   error != 0 ? error : (died() > 0 ? ECHILD : ETIMEDOUT));
        }
        std::this_thread::sleep_for(1ms);
    }
}

std::uint64_t ChurnLoad::begin() {
    control_->begin_ns = sys::now() + kHeadStart + workers_ * kHeadStartOfEach;
    std::atomic_ref(control_->go).store(1);
    (void)syscall(SYS_futex, &control_->go, FUTEX_WAKE, 1U << 30U, nullptr, nullptr, 0);
    return control_->begin_ns;
}

void ChurnLoad::stop() {
    std::atomic_ref(control_->stop).store(1);
}

void ChurnLoad::kill() {
    socket_.reset();
    if (process_) (void)process_->kill_and_reap();
}

std::pair<std::uint32_t, std::uint32_t> ChurnLoad::workers_of(std::size_t group) const {
    return group == 0 ? std::pair{0U, first_workers_} : std::pair{first_workers_, workers_};
}

void ChurnLoad::take(const std::function<void(std::size_t, const churn::Record&)>& visit) {
    const std::uint32_t room = churn::ring_records(workers_);
    const auto* const all =
        reinterpret_cast<const churn::Record*>(reinterpret_cast<const char*>(control_) + churn::records_at());
    for (std::size_t group = 0; group < churn::kGroups; ++group) {
        const auto [first, last] = workers_of(group);
        for (std::uint32_t worker = first; worker < last; ++worker) {
            churn::Ring& ring = control_->rings[worker];
            std::uint64_t read = ring.read;
            unread_[group] +=
                each_new({all + std::size_t{worker} * room, room}, read, std::atomic_ref(ring.written).load(),
                         [&](const churn::Record& record) { visit(group, record); });
            std::atomic_ref(ring.read).store(read);
        }
    }
}

bool ChurnLoad::has_ended() const {
    return std::atomic_ref(control_->ended).load() != 0;
}

std::uint32_t ChurnLoad::died() const {
    return std::atomic_ref(control_->died).load();
}

std::uint64_t ChurnLoad::unrecorded(std::size_t group) const {
    std::uint64_t sum = unread_[group];
    const auto [first, last] = workers_of(group);
    for (std::uint32_t worker = first; worker < last; ++worker)
        sum += std::atomic_ref(control_->rings[worker].unrecorded).load();
    return sum;
}

}  // namespace nsb::run
