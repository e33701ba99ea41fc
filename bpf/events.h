// What the probe's kernel side and src/probe say to each other: the layout of the maps.
#pragma once

#ifdef __cplusplus
#include <linux/types.h>
#endif

enum nsb_function {
#define NSB_FUNCTION(name, kind, path, role) NSB_F_##name,
#include "functions.def"
#undef NSB_FUNCTION
    NSB_FUNCTIONS
};

// Strides are powers of two: clang 14 drops bounds checks on indices that are multiplied.
enum {
    NSB_MAX_FUNCTIONS = 128,
    NSB_RETURN_NS = 2000,  // from the end of a traced system call to user mode, at most
    NSB_PREEMPTION = 126,  // in a function's place: a sampler had to wait for the CPU, in no traced function
    NSB_DEPTH = 16,        // traced functions inside each other
    NSB_CPUS = 1024,       // told apart
    NSB_SLOTS = 256,       // tasks at once, by their pid's low bits
    NSB_PLACES = 4,        // of these that a task may have: its own, or one right after it
    NSB_BUCKETS = 1024,    // of a function's histogram
    NSB_SUB_BITS = 5,      // buckets of an octave, as bits: 32, so that a percentile is off by at most 3%
    NSB_FRAMES = 48,       // of a stack
    NSB_NODES = 256,       // of the call tree
    NSB_ROOT = 0,          // the node whose calls no traced function makes
    NSB_NO_NODE = 255,     // stands for all that there is no room for
    NSB_OBJECT_BITS = 14,  // namespaces at once, as bits
    NSB_EXECUTIONS = 64,   // told apart at a time
    NSB_ROWS = 66,         // of calls: the workers', those of each execution, those of any further ones
};

// Whose slot it is.
struct nsb_task {
    __u32 pid;      // 0: free
    __u32 leads;    // a sampler: each of its forks begins an execution
    __u32 lead_in;  // how many of these come before those that count
    __u32 row;      // of calls, that its own go to
    __u32 skipped;  // 1: in a lead-in, of which nothing is noted
    __u32 forks;
};

// A task's stack of traced functions. A power of two in size.
struct nsb_frame {
    __u64 begin;        // less what the slot had set aside by then
    __u64 waited;       // the slot's wait at the beginning
    __u64 inner;        // time in traced functions called from here
    __u64 inner_calls;  // at any depth
    __u32 id;
    __u32 node;
};
struct nsb_slot {
    struct nsb_task task;
    __u32 depth;
    __u32 adopted;  // a worker's, while it tears namespaces down
    __u32 runnable;
    __u32 returning;  // 1: preempted on its way back from a traced system call
    __u64 left_at;    // when it left the outermost traced function on a path of creation
    __u64 off_since;  // 0: on a CPU
    __u64 waited;
    __u64 aside;  // what programs took that no traced call is charged for; frames' times are without it
    __u64 stack;  // where it was when it blocked
    struct nsb_frame frames[NSB_DEPTH];
    __u64 unused[38];
};

// A program's argument: the number of its function, and what else it must know; patched into the instruction
// that loads NSB_ARGUMENT when the program is made for a function.
enum { NSB_ARGUMENT = 0x4e534221 };
enum {
    NSB_ID_MASK = 127,
    NSB_ASYNC = 1 << 8,
    NSB_MADE = 1 << 9,
    NSB_GONE = 1 << 10,
    NSB_FORKS = 1 << 11,
    NSB_CREATE = 1 << 12,
    NSB_WORK = 1 << 13  // what a worker begins with
};

// Calls of a traced function on one path of callers: a node of the call tree. Times in ns of CLOCK_MONOTONIC.
struct nsb_calls {
    __u64 calls;
    __u64 total;
    __u64 self;  // total without the traced functions inside
    __u64 wait;  // of total, off the CPU
    __u64 max;
    __u64 inside;  // calls of traced functions inside, at any depth
    __u64 unused[2];
};

// A node is named by its caller's number and its function: node << 7 | function.
enum { NSB_NODE_NAMES = NSB_NODES * NSB_MAX_FUNCTIONS };

// What a profile's entry counts.
enum nsb_what {
    NSB_SAMPLE,     // ticks of the sampling clock on a CPU; count alone
    NSB_WAIT,       // blocked; sum in ns
    NSB_PREEMPTED,  // runnable, but not running; sum in ns
    NSB_KMALLOC,    // sums in bytes from here on
    NSB_SLAB,
    NSB_PERCPU,
    NSB_FREED = 8,  // a bit: of those three, what was freed again
};

struct nsb_profile_key {
    __u64 stack;  // in the map of stacks; 0: none was taken
    __u32 what;
    __u32 async;  // 1: not the benchmark's own task, but a worker that tears its namespaces down
};

struct nsb_profile {
    __u64 count;
    __u64 sum;
};

struct nsb_stack {
    __u64 frames;  // how many follow, innermost first
    __u64 address[NSB_FRAMES];
};

// Events that were lost, by reason.
enum nsb_lost {
    NSB_LOST_DEPTH,     // deeper than NSB_DEPTH
    NSB_LOST_MISMATCH,  // a call of which only the entry or only the exit was seen
    NSB_LOST_SLOT,      // more than NSB_PLACES tasks with almost the same low bits in their pids
    NSB_LOST_STACK,     // no room for another stack, or none could be taken
    NSB_LOST_PROFILE,   // no room for another entry
    NSB_LOST_LIVE,      // no room for another allocation
    NSB_LOST_NODE,      // no room for another path of calls
    NSB_LOST_OBJECT,    // no room for another namespace
    NSB_LOST_REASONS
};

// Namespaces, by the function that saw them: those the benchmark made, those of them seen gone, and others'
// seen gone.
struct nsb_objects {
    __u64 made;
    __u64 gone;
    __u64 foreign;
};

// Where the arguments of this kernel's tracepoints are, as its BTF says.
struct nsb_config {
    __u32 kmalloc_size_argument;
    __u32 slab_has_cache;      // kmem_cache_alloc's third argument is the cache, and no other one its size
    __u32 slab_size_argument;  // else: which argument is the size
};

// Of batches.bpf.c: a batch of net namespaces that was torn down, in ns of CLOCK_MONOTONIC.
struct nsb_batch {
    __u64 begin;
    __u64 end;
    __u64 namespaces;
    __u64 unused;  // for a size that is a power of two
};
enum { NSB_BATCHES = 4096 };  // kept until they are read
