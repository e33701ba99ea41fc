// The batches in which net namespaces are torn down: when each began and ended, and how many it took. Two
// functions are traced: the worker's, and the one that it calls once for each namespace.
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "events.h"
#include "templates.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct nsb_batch batches[NSB_BATCHES] = {};
__u64 ended = 0;  // how many have: the next one's place, in turn
// One at a time: the worker is a workqueue of a single thread (net_ns_init(), net/core/net_namespace.c).
struct nsb_batch current = {};
__u32 worker = 0;  // its task; 0: none is under way

static __always_inline void entered(__u64 what) {
    const __u32 task = bpf_get_current_pid_tgid();
    if ((what & NSB_ID_MASK) == NSB_F_cleanup_net) {
        worker = task;
        current.namespaces = 0;
        current.begin = bpf_ktime_get_ns();
    } else if (worker == task) {
        // By another task it is called where a namespace could not be set up.
        ++current.namespaces;
    }
}

static __always_inline void left(__u64 what, __u64 now) {
    const __u32 task = bpf_get_current_pid_tgid();
    if ((what & NSB_ID_MASK) != NSB_F_cleanup_net || worker != task) return;
    struct nsb_batch* const batch = &batches[ended & (NSB_BATCHES - 1)];
    batch->begin = current.begin;
    batch->end = now;
    batch->namespaces = current.namespaces;
    worker = 0;
    __sync_fetch_and_add(&ended, 1);  // after what it stands for
}

static __always_inline void entered_multi(struct pt_regs* ctx, __u64 what) {
    entered(what);
}
