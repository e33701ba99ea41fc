// The moment at which a child runs, told to its parent at the least cost that was found.
#pragma once

#include <sys/eventfd.h>
#include <x86intrin.h>

#include <cstdint>
#include <optional>

#include "sys/clock.h"
#include "sys/fd.h"

namespace nsb::sys {

/// One moment on two clocks.
struct Moment {
    std::uint64_t ns;
    std::uint64_t tsc;

    /// Reads the clock last, or first: next to what is timed.
    static Moment before() {
        const std::uint64_t tsc = __rdtsc();
        return {now(), tsc};
    }
    static Moment after() {
        const std::uint64_t ns = now();
        return {ns, __rdtsc()};
    }
};

/// The clock's time at which the time stamp counter stood at `tsc`, between two moments; nothing where it
/// lies outside them, as it does if the counters of two CPUs disagree.
inline std::optional<std::uint64_t> time_between(const Moment& a, const Moment& b, std::uint64_t tsc) {
    if (tsc < a.tsc || tsc > b.tsc || b.tsc == a.tsc) return std::nullopt;
    const double share = static_cast<double>(tsc - a.tsc) / static_cast<double>(b.tsc - a.tsc);
    return a.ns + static_cast<std::uint64_t>(share * static_cast<double>(b.ns - a.ns));
}

/// A forked child has no page table for shared memory nor for the vDSO: a clock read there and stored here
/// costs two page faults, 4% of a clone and its reaping. The time stamp counter and an eventfd cost none.
class Stamp {
  public:
    static Result<Stamp> make() {
        auto event = Fd::own(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!event) return tl::unexpected(event.error());
        return Stamp(std::move(*event));
    }

    /// In the child. The system call is spelt out: the C library's lies on another page.
    void mark() const {
        const std::uint64_t tsc = __rdtsc();
        long result = 1;  // __NR_write
        asm volatile("syscall"
                     : "+a"(result)
                     : "D"(static_cast<long>(event_.get())), "S"(&tsc), "d"(sizeof tsc)
                     : "rcx", "r11", "memory");
    }

    /// What a program writes its time stamp counter to, in the child's stead.
    [[nodiscard]] int fd() const { return event_.get(); }

    /// In the parent: the counter at the last mark(), which is forgotten; 0 if there was none.
    [[nodiscard]] std::uint64_t take() const {
        std::uint64_t tsc = 0;
        return retried([&] { return read(event_.get(), &tsc, sizeof tsc); }) == sizeof tsc ? tsc : 0;
    }

  private:
    explicit Stamp(Fd event) : event_(std::move(event)) {}
    Fd event_;
};

}  // namespace nsb::sys
