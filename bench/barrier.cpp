#include "barrier.h"

#include <sched.h>
#include <sys/mman.h>
#include <atomic>

#include "sys/clock.h"

namespace nsb::bench {
namespace {

using protocol::Barrier;
using protocol::Call;
using protocol::Failure;

/// From the last one's arrival until all begin: unmapping takes some longer than others.
constexpr std::uint64_t kLeaving = 50'000;
/// Longer than nsbench waits for an answer to a block of a second: a sampler that is late is waited for.
constexpr std::uint64_t kPatience = 12'000'000'000;

/// When all begin; 0 where not all have come. Who shares a CPU with another lets that one come, too.
std::uint64_t wait_for_all(Barrier& barrier, std::uint32_t at_once, std::uint64_t patience) {
    std::atomic_ref arrived(barrier.arrived);
    std::atomic_ref begin(barrier.begin_ns);
    const std::uint64_t deadline = sys::now() + patience;
    if (arrived.fetch_add(1) + 1 == at_once) begin = sys::now() + kLeaving;
    while (begin == 0 && sys::now() < deadline) sched_yield();
    return begin;
}

tl::expected<std::uint64_t, Failure> at(std::uint64_t begin) {
    if (begin == 0) return tl::unexpected(Failure{Call::sampler, ETIMEDOUT});
    while (sys::now() < begin) {
    }
    return begin;
}

}  // namespace

tl::expected<std::uint64_t, Failure> meet(sys::Fd& barrier, std::uint32_t at_once, std::uint64_t more) {
    void* const mapping =
        mmap(nullptr, sizeof(Barrier), PROT_READ | PROT_WRITE, MAP_SHARED, barrier.get(), 0);
    if (mapping == MAP_FAILED) return tl::unexpected(Failure{Call::sampler, errno});
    const std::uint64_t begin = wait_for_all(*static_cast<Barrier*>(mapping), at_once, kPatience + more);
    munmap(mapping, sizeof(Barrier));
    barrier.reset();
    return at(begin);
}

tl::expected<std::uint64_t, Failure> meet(Barrier& barrier, std::uint32_t at_once) {
    return at(wait_for_all(barrier, at_once, kPatience));
}

}  // namespace nsb::bench
