// What nsbench and the processes of a load share: who is to make which namespaces when, and a record of each.
// Free of the standard library's run-time parts, because the sampler uses it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kinds.h"
#include "core/protocol.h"

namespace nsb::churn {

/// When a worker begins with the next operation.
enum class Loop : std::uint8_t {
    closed,  ///< when it is done with the last one
    open,    ///< at moments that are fixed beforehand, each of them one worker's
    burst    ///< when all others do
};

inline constexpr std::uint32_t kMostWorkers = 1024;
inline constexpr std::uint32_t kGroups = 2;  ///< the load that is measured, and the one in its background

/// One operation: a child made in new namespaces, which ends at once, and its reaping. On CLOCK_MONOTONIC,
/// ns. `end` of one that failed is when that was known, and no time of it.
struct Record {
    std::uint64_t intended;  ///< when it should have begun; in the closed loop when it did
    std::uint64_t start;     ///< the call
    std::uint64_t created;   ///< its return
    std::uint64_t end;       ///< the child is reaped
    protocol::Failure failure;
};

/// Where a worker's records stand: those from `read` on, up to `written`. Each side writes its own number.
struct Ring {
    alignas(64) std::uint64_t written;
    std::uint64_t unrecorded;  ///< operations for whose records there was no room
    alignas(64) std::uint64_t read;
};

/// What workers do that are alike. Written by nsbench before they start.
struct Group {
    KindSet set;
    Loop loop;
    std::uint32_t workers;   ///< those of the first group come first
    double period_ns;        ///< open: between two arrivals
    std::uint64_t pause_ns;  ///< burst: from the end of one to the begin of the next
    std::uint64_t bursts;    ///< burst: so many at most; 0 for no such limit
};

/// The begin of the shared mapping; the rings' records follow at records_at(), one ring after the other.
struct Control {
    Group groups[kGroups];
    std::uint64_t duration_ns;
    std::uint32_t ring_records;  ///< a power of two

    // What workers wait for is a futex(2), and so are words of 32 bits.
    std::uint32_t ready;     ///< workers that are set up
    std::uint32_t go;        ///< 1: `begin_ns` says when the load begins
    std::uint32_t stop;      ///< 1: no operation begins any more
    std::uint64_t begin_ns;  ///< on the clock
    std::uint64_t arrivals;  ///< open: taken by a worker
    std::uint32_t arrived;   ///< burst: workers that are done with it
    std::uint32_t burst;     ///< burst: its number, from 1 on
    std::uint64_t burst_begin_ns;
    std::uint32_t died;             ///< workers that ended in another way than by themselves
    std::uint32_t ended;            ///< 1: all workers have
    protocol::Failure not_started;  ///< why a worker could not be
    Ring rings[kMostWorkers];
};

inline constexpr std::size_t kPageBytes = 4096;

constexpr std::size_t records_at() {
    return (sizeof(Control) + kPageBytes - 1) / kPageBytes * kPageBytes;
}

constexpr std::size_t mapping_bytes(std::uint32_t workers, std::uint32_t ring_records) {
    return records_at() + std::size_t{workers} * ring_records * sizeof(Record);
}

/// How many records a worker's ring has room for: all together are at most 40 MiB. nsbench reads them 40
/// times a second, in which one worker makes about a thousand.
constexpr std::uint32_t ring_records(std::uint32_t workers) {
    constexpr std::uint32_t kAll = 1U << 20U;
    constexpr std::uint32_t kMost = 1U << 14U;
    std::uint32_t records = kMost;
    while (records > 256 && records * workers > kAll) records /= 2;
    return records;
}

}  // namespace nsb::churn
