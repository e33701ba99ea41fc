// The programs that follow memory from its allocation to its release; probe.bpf.c includes them.
#pragma once

struct allocation {
    __u64 stack;
    __u64 bytes;
    __u32 what;
    __u32 unused;
};
MAP(live, BPF_MAP_TYPE_HASH, __u64, struct allocation, 262144);

static __always_inline void allocated(void* ctx, __u32 what, __u64 address, __u64 bytes) {
    struct nsb_slot* s = counted_slot();
    if (!s || s->adopted || !address) return;
    const struct allocation a = {keep_stack(ctx), bytes, what, 0};
    count(a.stack, what, 0, bytes);
    if (bpf_map_update_elem(&live, &address, &a, BPF_ANY) != 0) lose(NSB_LOST_LIVE);
}

static __always_inline void freed(__u64 address) {
    const struct allocation* a = bpf_map_lookup_elem(&live, &address);
    if (!a) return;
    count(a->stack, a->what | NSB_FREED, 0, a->bytes);
    bpf_map_delete_elem(&live, &address);
}

#define ALLOCATED(name, what, address, bytes)         \
    SEC("raw_tp/" #name)                              \
    int on_##name(const __u64* args) {                \
        allocated((void*)args, what, address, bytes); \
        return 0;                                     \
    }
#define FREED(name, address)           \
    SEC("raw_tp/" #name)               \
    int on_##name(const __u64* args) { \
        freed(address);                \
        return 0;                      \
    }

// One of two arguments. Both are loaded first: the verifier takes no offset that is computed.
static __always_inline __u64 either(__u32 is_first, __u64 first, __u64 second) {
    barrier_var(first);
    barrier_var(second);
    return is_first ? first : second;
}

static __always_inline __u64 kmalloc_bytes(const __u64* args) {
    return either(config.kmalloc_size_argument == 3, args[3], args[4]);
}

static __always_inline __u64 slab_bytes(const __u64* args) {
    if (config.slab_has_cache) return BPF_CORE_READ((struct kmem_cache*)args[2], size);
    return either(config.slab_size_argument == 3, args[3], args[4]);
}

ALLOCATED(kmalloc, NSB_KMALLOC, args[1], kmalloc_bytes(args))
ALLOCATED(kmalloc_node, NSB_KMALLOC, args[1], kmalloc_bytes(args))
ALLOCATED(kmem_cache_alloc, NSB_SLAB, args[1], slab_bytes(args))
ALLOCATED(kmem_cache_alloc_node, NSB_SLAB, args[1], slab_bytes(args))
// include/trace/events/percpu.h: in 5.19 the call site came first, and the bytes allocated last. A program
// that reads an argument beyond the last cannot be attached, so there is one for each.
SEC("raw_tp/percpu_alloc_percpu")
int on_percpu_alloc_old(const __u64* args) {
    allocated((void*)args, NSB_PERCPU, args[6], args[2]);
    return 0;
}
SEC("raw_tp/percpu_alloc_percpu")
int on_percpu_alloc_new(const __u64* args) {
    allocated((void*)args, NSB_PERCPU, args[7], args[3]);
    return 0;
}
FREED(kfree, args[1])
FREED(kmem_cache_free, args[1])
FREED(percpu_free_percpu, args[2])
