// What nsbench and its sampler say to each other: fixed-size records over a socket, samples through shared
// memory.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "core/operation.h"

namespace nsb::protocol {

/// Descriptors that the sampler finds open when it starts.
inline constexpr int kSocket = 3;
inline constexpr int kMemory = 4;

/// The system call that a sample failed in.
enum class Call : std::uint8_t {
#define NSB_CALL(identifier, name, needs, about) identifier,
#include "core/calls.def"
#undef NSB_CALL
};

inline constexpr auto kCallNames = std::to_array<const char*>({
#define NSB_CALL(identifier, name, needs, about) name,
#include "core/calls.def"
#undef NSB_CALL
});

constexpr const char* name(Call call) {
    return kCallNames[static_cast<std::size_t>(call)];
}

/// A call that failed, and its errno.
struct Failure {
    Call call = Call::none;
    int error = 0;
};

/// One execution of a case: a time for each phase in ticks of the clock, or an errno; never both.
struct Record {
    Failure failure;
    std::array<std::uint64_t, kPhases> times;
    std::uint64_t ended = 0;  ///< when the sampler was done with it, in ticks since its block began (Block)
};

/// What a sampler may do, once it has given up what its cases do not need.
struct Privilege {
    std::uint64_t permitted;  ///< the capabilities that it has kept; not known where capget(2) failed
    Failure bounding;         ///< why its bounding set has more than it should
    Failure own;              ///< why its other sets have
};

/// The word of a sampler's arguments that says which capabilities it may keep, as in /proc/PID/status.
/// Without it all.
inline constexpr char kKeep[] = "keep=";

inline constexpr std::uint32_t kMaxSamples = 4096;

/// What is counted of one start by a runtime: a tracepoint, for x86-64's system calls with their numbers.
struct CountedInfo {
    const char* name;
    const char* event;
    const char* filter;  ///< null: none
};

inline constexpr std::array<CountedInfo, 5> kCounted{{
    {"clone", "sched/sched_process_fork", nullptr},  // also threads
    {"exec", "sched/sched_process_exec", nullptr},
    // mount, umount2, pivot_root, open_tree to fspick, mount_setattr
    {"mount", "raw_syscalls/sys_enter", "id==165||id==166||id==155||(id>=428&&id<=433)||id==442"},
    {"open", "raw_syscalls/sys_enter", "id==2||id==257||id==437"},  // open, openat, openat2
    {"all", "raw_syscalls/sys_enter", nullptr},
}};

using Counts = std::array<std::uint64_t, kCounted.size()>;

/// What a block of the operation runtime needs beside its request. Lists are strings one after the other,
/// each ended by a zero byte, the last by two.
struct RuntimeJob {
    char command[2048];      ///< the runtime's path and arguments
    char environment[1024];  ///< NAME=VALUE
    char config[6144];       ///< the bundle's config.json; empty where the runtime takes none
    bool is_counted;         ///< back: whether `counts` is of a start in this block, which was not timed
    Counts counts;
    char said[512];  ///< back: the last line that a runtime which failed wrote to standard error
};

/// What the sampler and the children that it has reaped have taken since it began: what else ran on its CPU
/// is told by it.
struct Usage {
    std::uint64_t ran_us;     ///< run time
    std::uint64_t preempted;  ///< times that one of them was made to wait (ru_nivcsw of getrusage(2))
};

/// Of samplers that share one mm, each but the first of which lives as long as a block: what nsbench tells
/// it, and what it says.
struct WorkerPart {
    std::int32_t cpu;       ///< that it is to run on; -1: wherever it may
    std::uint32_t samples;  ///< back: how many records are filled
    Usage used;             ///< back: of its whole life
};

/// The shared mapping: the sampler and its children write, nsbench reads once a block is done.
struct SharedMemory {
    std::uint64_t child_begin;            ///< the clock at the current child's first instruction
    std::uint64_t child_end;              ///< and at its exit
    std::uint64_t child_phases[kPhases];  ///< what the child timed itself
    Failure child_failure;
    std::uint32_t by_deputy;  ///< how many records the deputy of a block with conditions has filled
    Record records[kMaxSamples];
    RuntimeJob job;
    WorkerPart worker;
};

/// Samplers that share one mm have a file in common: one's part of it begins as far behind the one before.
inline constexpr std::size_t kWindow = (sizeof(SharedMemory) + kPage - 1) / kPage * kPage;

/// Where samplers that carry out a block at the same time wait for each other. Shared by them alone, for one
/// block; its descriptor comes with the request.
struct Barrier {
    std::uint32_t arrived;   ///< how many of them
    std::uint64_t begin_ns;  ///< when all begin, on their clock; 0 until the last one has arrived
};

/// Asks for a block of samples of one case.
struct Request {
    std::uint32_t sequence;
    std::uint32_t samples;        ///< up to kMaxSamples
    std::uint64_t time_limit_ns;  ///< the block ends early after this, with at least one sample
    Operation operation;
    KindSet set;
    bool in_userns;  ///< no privilege outside: enter a user namespace first, where the operation does not
                     ///< make one
    bool root_is_initramfs;  ///< pivot_root(2) cannot leave it: EINVAL is no failure then
    std::uint8_t at_once;    ///< so many samplers carry it out at the same time: those that share one mm are
                             ///< asked through the first
    bool calibrate;  ///< instead of the operation, time the clock (phase create) and the bare loop (phase
                     ///< total)
    ParameterValues values;
};

static_assert(kMaxParallel <= std::numeric_limits<decltype(Request::at_once)>::max());

struct Reply {
    std::uint32_t sequence;
    std::uint32_t samples;  ///< how many records are filled
    Usage used;
};

}  // namespace nsb::protocol
