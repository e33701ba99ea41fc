// The programs that src/probe makes copies of for each traced function, or attaches to all of them at once,
// around what the including program does: `entered` and `left`. `entered_multi` is `entered` for all
// functions of one link.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "argument.bpf.h"

static __always_inline void entered(__u64 what);
static __always_inline void entered_multi(struct pt_regs* ctx, __u64 what);
static __always_inline void left(__u64 what, __u64 now);

SEC("kprobe")
int enter(void* ctx) {
    entered(argument());
    return 0;
}

SEC("kprobe")
int leave(void* ctx) {
    const __u64 now = bpf_ktime_get_ns();
    left(argument(), now);
    return 0;
}

// One for all functions of a link: what each is told is its cookie.
SEC("kprobe.multi")
int enter_multi(struct pt_regs* ctx) {
    entered_multi(ctx, bpf_get_attach_cookie(ctx));
    return 0;
}

SEC("kretprobe.multi")
int leave_multi(struct pt_regs* ctx) {
    const __u64 now = bpf_ktime_get_ns();
    left(bpf_get_attach_cookie(ctx), now);
    return 0;
}
