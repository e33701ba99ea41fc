// The argument of a template, of which src/probe makes a copy for each traced function.
#pragma once

#include "events.h"

// A move of a 32-bit constant, which src/probe looks for.
static __always_inline __u64 argument(void) {
    __u64 value;
    asm volatile("%[value] = %[magic]" : [value] "=r"(value) : [magic] "i"(NSB_ARGUMENT));
    return value;
}
