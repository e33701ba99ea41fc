// The few kernel structures that the programs read, with the fields they read: libbpf finds the offsets in
// the running kernel's own BTF.
#pragma once

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_struct {
    int pid;
    int exit_state;
    unsigned int __state;  // from 5.14
};

struct task_struct___old {
    long state;  // up to 5.13
};

struct kmem_cache {
    unsigned int size;
};

struct work_struct {
    void* func;
};

#pragma clang attribute pop
