// The probe's kernel side. `enter` and `leave` are templates: src/probe makes a copy for each traced
// function, as fentry or kprobe program, with the function's number in the place of NSB_ARGUMENT.
//
// A task of the benchmark has a slot with its stack of traced functions. Which slot belongs to the task that
// runs on a CPU is noted at each switch, so that a traced function looks nothing up but its CPU's entry.
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "events.h"
#include "kernel.h"
#include "templates.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define MAP(name_, type_, key_, value_, entries_) \
    struct {                                      \
        __uint(type, type_);                      \
        __type(key, key_);                        \
        __type(value, value_);                    \
        __uint(max_entries, entries_);            \
    } name_ SEC(".maps")

// An array that src/probe maps into its memory, to clear and to read it at once.
#define SHARED(name_, value_, entries_)    \
    struct {                               \
        __uint(type, BPF_MAP_TYPE_ARRAY);  \
        __uint(map_flags, BPF_F_MMAPABLE); \
        __type(key, __u32);                \
        __type(value, value_);             \
        __uint(max_entries, entries_);     \
    } name_ SEC(".maps")

// What each traced call looks at is not in maps, whose look-ups take about as long as the rest.
struct nsb_slot slots[NSB_SLOTS] = {};
__u32 running[NSB_CPUS] = {};  // the number plus one of the slot of the task on that CPU; 0: none of ours
__u32 node_numbers[NSB_NODE_NAMES] = {};
MAP(scratch, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct nsb_stack, 1);
// The call tree: sums of each node, a row for each execution. Nodes have numbers, from 1 on, as they are met.
SHARED(calls, struct nsb_calls, NSB_ROWS* NSB_NODES);
MAP(node_names, BPF_MAP_TYPE_HASH, __u32, __u32, NSB_NODES);
__u32 node_count = 0;
__u32 forks_are_traced = 0;  // 1: kernel_clone is attached to
SHARED(buckets, __u64, NSB_MAX_FUNCTIONS* NSB_BUCKETS);
MAP(profile, BPF_MAP_TYPE_HASH, struct nsb_profile_key, struct nsb_profile, 32768);
MAP(stacks, BPF_MAP_TYPE_HASH, __u64, struct nsb_stack, 16384);
SHARED(lost, __u64, NSB_LOST_REASONS);
SHARED(objects, struct nsb_objects, NSB_MAX_FUNCTIONS);
// Addresses of the benchmark's namespaces, at or right after the place that an address hashes to. A map's own
// hashing takes some 2000 instructions for each entry, as long as copy_utsname.
SHARED(namespaces, __u64, 1 << NSB_OBJECT_BITS);
MAP(workers, BPF_MAP_TYPE_HASH, __u64, __u32, 16);  // work functions that tear namespaces down, by address

const volatile struct nsb_config config = {};

static __always_inline void lose_several(__u32 reason, __u64 events) {
    __u64* count = bpf_map_lookup_elem(&lost, &reason);
    if (count) __sync_fetch_and_add(count, events);
}

static __always_inline void lose(__u32 reason) {
    lose_several(reason, 1);
}

static __always_inline __u32* running_here(void) {
    const __u64 cpu = bpf_get_smp_processor_id();
    return &running[cpu & (NSB_CPUS - 1)];
}

static __always_inline struct nsb_slot* slot_at(__u64 number) {
    return &slots[number & (NSB_SLOTS - 1)];
}

static __always_inline struct nsb_slot* current_slot(void) {
    const __u32 number = *running_here();
    return number ? slot_at(number - 1) : 0;
}

// The current task's slot where what it does counts.
static __always_inline struct nsb_slot* counted_slot(void) {
    struct nsb_slot* s = current_slot();
    return s && !s->task.skipped ? s : 0;
}

// The number plus one of the slot that `owner` has, at or right after the place of `pid`; 0: none there.
static __always_inline __u32 find_slot(__u32 pid, __u32 owner) {
    for (__u32 i = 0; i < NSB_PLACES; ++i) {
        const struct nsb_slot* s = slot_at(pid + i);
        if (s->task.pid == owner) return ((pid + i) & (NSB_SLOTS - 1)) + 1;
    }
    return 0;
}

// Gives the task a slot: its number plus one; 0 where others have all that it might have.
static __always_inline __u32 track(__u32 pid, __u32 adopted) {
    __u32 number = find_slot(pid, pid);
    if (!number) number = find_slot(pid, 0);
    struct nsb_slot* s = number ? slot_at(number - 1) : 0;
    if (!s) {
        lose(NSB_LOST_SLOT);
        return 0;
    }
    s->task.pid = pid;
    s->task.leads = 0;
    s->task.row = 0;
    s->task.skipped = 0;
    s->depth = 0;
    s->adopted = adopted;
    s->off_since = 0;
    s->waited = 0;
    s->aside = 0;
    return number;
}

// The current stack's key in the map of stacks; 0 where it could not be kept.
static __always_inline __u64 keep_stack(void* ctx) {
    const __u32 zero = 0;
    struct nsb_stack* s = bpf_map_lookup_elem(&scratch, &zero);
    if (!s) return 0;
    const long bytes = bpf_get_stack(ctx, s->address, sizeof s->address, 0);
    if (bytes <= 0) {
        lose(NSB_LOST_STACK);
        return 0;
    }
    s->frames = (__u64)bytes / sizeof s->address[0];
    __u64 key = 0xcbf29ce484222325;
    for (__u32 i = 0; i < NSB_FRAMES; ++i) {
        if (i >= s->frames) break;
        key = (key ^ s->address[i]) * 0x100000001b3;
        key ^= key >> 29;
    }
    if (!bpf_map_lookup_elem(&stacks, &key) && bpf_map_update_elem(&stacks, &key, s, BPF_ANY) != 0) {
        lose(NSB_LOST_STACK);
        return 0;
    }
    return key;
}

static __always_inline void count(__u64 stack, __u32 what, __u32 async, __u64 sum) {
    const struct nsb_profile_key key = {stack, what, async};
    struct nsb_profile* p = bpf_map_lookup_elem(&profile, &key);
    if (p) {
        __sync_fetch_and_add(&p->count, 1);
        __sync_fetch_and_add(&p->sum, sum);
        return;
    }
    const struct nsb_profile first = {1, sum};
    if (bpf_map_update_elem(&profile, &key, &first, BPF_NOEXIST) == 0) return;
    p = bpf_map_lookup_elem(&profile, &key);
    if (p) {
        __sync_fetch_and_add(&p->count, 1);
        __sync_fetch_and_add(&p->sum, sum);
    } else {
        lose(NSB_LOST_PROFILE);
    }
}

#include "calls.bpf.h"

// A worker is the benchmark's for as long as it is inside a function that tears namespaces down.
static __always_inline struct nsb_slot* adopt(void) {
    const __u32 number = track(bpf_get_current_pid_tgid(), 1);
    if (!number) return 0;
    *running_here() = number;
    return slot_at(number - 1);
}

static __always_inline void release(struct nsb_slot* s) {
    s->task.pid = 0;
    *running_here() = 0;
}

static __always_inline void entered(__u64 what) {
    struct nsb_slot* s = current_slot();
    if (!s && (what & NSB_ASYNC)) s = adopt();
    if (!s) return;
    if ((what & NSB_WORK) && s->adopted) start_over(s);
    if ((what & NSB_FORKS) && s->task.leads) {
        start_over(s);
        const __u32 number = ++s->task.forks;
        s->task.skipped = number <= s->task.lead_in;
        s->task.row =
            number - s->task.lead_in <= NSB_EXECUTIONS ? number - s->task.lead_in : NSB_EXECUTIONS + 1;
    }
    push(s, what & NSB_ID_MASK);
}

static __always_inline void left(__u64 what, __u64 now) {
    struct nsb_slot* s = current_slot();
    if (!s) return;
    pop(s, what & NSB_ID_MASK, now);
    if (s->depth > 0) return;
    if (what & NSB_CREATE) s->left_at = now;
    if (s->adopted) release(s);
}

// Puts an address in the place of another, or of a free place's 0; false where there is none such.
static __always_inline bool replace_namespace(__u64 old, __u64 new) {
    const __u64 home = ((old | new) * 0x9e3779b97f4a7c15) >> (64 - NSB_OBJECT_BITS);
    for (__u32 i = 0; i < 8; ++i) {
        const __u32 at = (home + i) & ((1 << NSB_OBJECT_BITS) - 1);
        __u64* place = bpf_map_lookup_elem(&namespaces, &at);
        if (!place || *place != old) continue;
        *place = new;
        return true;
    }
    return false;
}

// A namespace that is made or gone, told by its address.
static __always_inline void seen(__u64 what, __u64 address) {
    __u32 id = what & NSB_ID_MASK;
    struct nsb_objects* o = bpf_map_lookup_elem(&objects, &id);
    if (!o) return;
    if (what & NSB_MADE) {
        if (!counted_slot()) return;
        if (replace_namespace(0, address)) {
            __sync_fetch_and_add(&o->made, 1);
        } else {
            lose(NSB_LOST_OBJECT);
        }
    } else if (replace_namespace(address, 0)) {
        __sync_fetch_and_add(&o->gone, 1);
    } else {
        __sync_fetch_and_add(&o->foreign, 1);
    }
}

SEC("kprobe")
int enter_object_kprobe(struct pt_regs* ctx) {
    const __u64 what = argument(), now = bpf_ktime_get_ns();
    seen(what, PT_REGS_PARM1(ctx));
    set_aside(now);
    entered(what);
    return 0;
}

// Its copies are fentry programs; as a raw tracepoint its context has the same shape.
SEC("raw_tp")
int enter_object_fentry(const __u64* ctx) {
    const __u64 what = argument(), now = bpf_ktime_get_ns();
    // Loaded straight from the context it would be a pointer, which the verifier lets nobody calculate with.
    __u64 address = 0;
    bpf_probe_read_kernel(&address, sizeof address, ctx);
    seen(what, address);
    set_aside(now);
    entered(what);
    return 0;
}

static __always_inline void entered_multi(struct pt_regs* ctx, __u64 what) {
    if (what & (NSB_MADE | NSB_GONE)) {
        const __u64 now = bpf_ktime_get_ns();
        seen(what, PT_REGS_PARM1(ctx));
        set_aside(now);
    }
    entered(what);
}

// A sampler preempted on its way back to user mode: that is still part of its system call's time.
static __always_inline void note_preemption(struct nsb_slot* s, __u64 off) {
    if (s->task.skipped) return;
    struct nsb_calls* c = calls_at(s->task.row, node_below(NSB_ROOT, NSB_PREEMPTION));
    if (!c) return;
    __sync_fetch_and_add(&c->calls, 1);
    __sync_fetch_and_add(&c->total, off);
}

static __always_inline int is_runnable(struct task_struct* task) {
    if (bpf_core_field_exists(task->__state)) return task->__state == 0;
    return ((struct task_struct___old*)task)->state == 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct* prev, struct task_struct* next) {
    __u32* here = running_here();
    const __u64 now = bpf_ktime_get_ns();
    struct nsb_slot* s = current_slot();
    if (s && prev->exit_state) {
        s->task.pid = 0;
        s = 0;
    }
    if (s) {
        s->runnable = preempt || is_runnable(prev);
        s->returning = s->runnable && s->task.leads && s->depth == 0 && now - s->left_at < NSB_RETURN_NS;
        s->stack = s->runnable ? 0 : keep_stack(ctx);
    }
    *here = 0;
    const __u32 pid = next->pid;
    const __u32 number = pid ? find_slot(pid, pid) : 0;
    struct nsb_slot* n = number ? slot_at(number - 1) : 0;
    if (n) *here = number;
    if (n && n->off_since) {
        const __u64 off = now - n->off_since;
        n->waited += off;
        n->off_since = 0;
        if (n->returning) note_preemption(n, off);
        if (!n->task.skipped) count(n->stack, n->runnable ? NSB_PREEMPTED : NSB_WAIT, n->adopted, off);
    }
    // All this is part of neither's calls, nor did the one that is switched off wait meanwhile.
    if (!s && !n) return 0;
    const __u64 end = bpf_ktime_get_ns();
    if (s) s->aside += end - now, s->off_since = end;
    if (n) n->aside += end - now;
    return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct* parent, struct task_struct* child) {
    struct nsb_slot* s = current_slot();
    const __u32 number = s ? track(child->pid, 0) : 0;
    struct nsb_slot* own = number ? slot_at(number - 1) : 0;
    if (own) own->task.row = s->task.row, own->task.skipped = s->task.skipped;
    // The tracepoint comes near the end of a fork, so the lead-in ends with the last of its forks.
    if (s && s->task.leads && !forks_are_traced && ++s->task.forks >= s->task.lead_in) s->task.skipped = 0;
    return 0;
}

// Without functions to attach to, workers are known by the work they carry out.
SEC("tp_btf/workqueue_execute_start")
int BPF_PROG(on_work, struct work_struct* work) {
    const __u64 function = (__u64)work->func;
    const __u32* what = bpf_map_lookup_elem(&workers, &function);
    if (what) entered(*what);
    return 0;
}

SEC("tp_btf/workqueue_execute_end")
int BPF_PROG(on_work_end, struct work_struct* work) {
    const __u64 now = bpf_ktime_get_ns();
    struct nsb_slot* s = current_slot();
    if (!s || !s->adopted) return 0;
    pop(s, s->frames[0].id, now);
    release(s);
    return 0;
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data* ctx) {
    struct nsb_slot* s = counted_slot();
    const bool in_user_mode = (ctx->regs.cs & 3) != 0;
    if (s) count(in_user_mode ? 0 : keep_stack(ctx), NSB_SAMPLE, s->adopted, 1);
    return 0;
}

#include "memory.bpf.h"
