// The call tree: a node for each traced function on each path, with its sums. Included by probe.bpf.c, which
// has the slots.

// Gives a node the next number. Two CPUs may both number the same one: src/probe adds its sums by name.
static __always_inline __u32 number_node(__u32 name) {
    for (int attempt = 0; attempt < 4; ++attempt) {
        const __u32 next = node_count + 1;
        if (next >= NSB_NO_NODE) break;
        // An atomic addition that returns the sum is there from 5.12 only.
        if (bpf_map_update_elem(&node_names, &next, &name, BPF_NOEXIST) != 0) continue;
        node_count = next;
        return next;
    }
    lose(NSB_LOST_NODE);
    return NSB_NO_NODE;
}

// The node of a function that is called at `caller`.
static __always_inline __u32 node_below(__u32 caller, __u32 id) {
    if (caller == NSB_NO_NODE) return NSB_NO_NODE;
    __u64 name = caller << 7 | id;
    barrier_var(name);  // so that the bound comes last: older verifiers forget it at an |
    name &= NSB_NODE_NAMES - 1;
    __u32* number = &node_numbers[name];
    if (!*number) *number = number_node(name);
    return *number;
}

static __always_inline struct nsb_calls* calls_at(__u32 row, __u32 node) {
    const __u32 at = row * NSB_NODES + (node & (NSB_NODES - 1));
    return bpf_map_lookup_elem(&calls, &at);
}

static __always_inline void push(struct nsb_slot* s, __u32 id) {
    const __u32 depth = s->depth++;
    if (depth >= NSB_DEPTH) {
        lose(NSB_LOST_DEPTH);
        return;
    }
    struct nsb_frame* f = &s->frames[depth & (NSB_DEPTH - 1)];
    f->id = id;
    f->node = node_below(depth > 0 ? s->frames[(depth - 1) & (NSB_DEPTH - 1)].node : NSB_ROOT, id);
    f->waited = s->waited;
    f->inner = 0;
    f->inner_calls = 0;
    f->begin = bpf_ktime_get_ns() - s->aside;
}

// What the probe does besides following calls, in the midst of them, is no function's time.
static __always_inline void set_aside(__u64 since) {
    struct nsb_slot* s = current_slot();
    if (s) s->aside += bpf_ktime_get_ns() - since;
}

// A duration's bucket: its octave, and 32 steps within.
static __always_inline __u32 bucket(__u64 ns) {
    __u32 octave = 0;
    __u64 v = ns >> NSB_SUB_BITS;
    if (v >> 16) octave += 16, v >>= 16;
    if (v >> 8) octave += 8, v >>= 8;
    if (v >> 4) octave += 4, v >>= 4;
    if (v >> 2) octave += 2, v >>= 2;
    if (v >> 1) octave += 1, v >>= 1;
    octave += v;  // 0: below the first octave, where a bucket is one nanosecond
    const __u64 step = (octave ? ns >> (octave - 1) : ns) & ((1 << NSB_SUB_BITS) - 1);
    return ((octave << NSB_SUB_BITS) | step) & (NSB_BUCKETS - 1);
}

// Where nothing encloses what begins now: frames that are still there are of calls whose exits were missed.
static __always_inline void start_over(struct nsb_slot* s) {
    if (s->depth > 0) lose_several(NSB_LOST_MISMATCH, s->depth);
    s->depth = 0;
}

// The place of the function's innermost frame below another place; NSB_DEPTH where there is none.
static __always_inline __u32 find_below(const struct nsb_slot* s, __u32 place, __u32 id) {
    for (__u32 i = 1; i < NSB_DEPTH; ++i) {
        if (i > place) break;
        const __u32 at = (place - i) & (NSB_DEPTH - 1);
        if (s->frames[at].id == id) return at;
    }
    return NSB_DEPTH;
}

// A call that ends. Its frame, and those above it, are the slot's until pop() says otherwise.
static __always_inline void end_call(struct nsb_slot* s, __u32 depth, __u32 id, __u64 now) {
    const struct nsb_frame* f = &s->frames[depth & (NSB_DEPTH - 1)];
    const __u64 total = now - s->aside - f->begin;
    const __u64 wait = s->waited - f->waited;
    if (depth > 0) {
        struct nsb_frame* outer = &s->frames[(depth - 1) & (NSB_DEPTH - 1)];
        outer->inner += total;
        outer->inner_calls += f->inner_calls + 1;
    }
    if (s->task.skipped) return;
    struct nsb_calls* c = calls_at(s->task.row, f->node);
    if (c) {
        __sync_fetch_and_add(&c->calls, 1);
        __sync_fetch_and_add(&c->total, total);
        __sync_fetch_and_add(&c->self, total - f->inner);
        __sync_fetch_and_add(&c->wait, wait);
        __sync_fetch_and_add(&c->inside, f->inner_calls);
        if (total > c->max) c->max = total;
    }
    const __u32 b = (id << 10 | bucket(total)) & (NSB_MAX_FUNCTIONS * NSB_BUCKETS - 1);
    __u64* n = bpf_map_lookup_elem(&buckets, &b);
    if (n) __sync_fetch_and_add(n, 1);
}

static __always_inline void pop(struct nsb_slot* s, __u32 id, __u64 now) {
    if (s->depth == 0) return;  // entered before it was traced
    __u32 depth = s->depth - 1;
    if (depth < NSB_DEPTH && s->frames[depth & (NSB_DEPTH - 1)].id != id) {
        // The exits of all calls inside it were missed; or its own entry was, and these are under way.
        const __u32 own = find_below(s, depth, id);
        lose_several(NSB_LOST_MISMATCH, own < NSB_DEPTH ? depth - own : 1);
        if (own >= NSB_DEPTH) return;
        depth = own;
    }
    if (depth < NSB_DEPTH) end_call(s, depth, id, now);
    // Last: the calls of an interrupt that comes here meanwhile (put_pid_ns, by RCU) would have its frame.
    asm volatile("" ::: "memory");
    s->depth = depth;
}
