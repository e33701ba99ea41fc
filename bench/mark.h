// Where phases begin and end, for who looks at the sampler from outside: the lab's exact profile.
#pragma once

#include "core/operation.h"

namespace nsb::bench {

template <typename... Phases>
constexpr std::uint32_t bits(Phases... phases) {
    return ((std::uint32_t{1} << static_cast<unsigned>(phases)) | ... | std::uint32_t{0});
}

}  // namespace nsb::bench

/// The phases in `opens` begin, and those in `closes` end, at the `reading`th time stamp counter that this
/// process reads from here on. No instruction: a note in the section .nsbench.marks, which is not loaded,
/// with the address of what follows (8 bytes), the two sets of phases and the reading (4 bytes each). As
/// SystemTap's probes are.
#define NSB_MARK(opens, closes, reading)                    \
    asm volatile(                                           \
        "661: .pushsection .nsbench.marks,\"\",@progbits\n" \
        "     .quad 661b\n"                                 \
        "     .long %c0, %c1, %c2\n"                        \
        "     .popsection"                                  \
        :                                                   \
        : "i"(opens), "i"(closes), "i"(reading))
