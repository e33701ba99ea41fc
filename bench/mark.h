// Where phases begin and end, for who looks at the sampler from outside: the lab's exact profile.
#pragma once

#include "core/operation.h"

namespace nsb::bench {

template <typename... Phases>
constexpr std::uint32_t bits(Phases... phases) {
    return ((std::uint32_t{1} << static_cast<unsigned>(phases)) | ... | std::uint32_t{0});
}

/// Of the mark's phases only one begins: each time the next, in their order, of those that the case has.
inline constexpr std::uint32_t kInTurn = std::uint32_t{1} << 31U;

}  // namespace nsb::bench

/// No instruction: a note in the section .nsbench.marks, which is not loaded, with an address (8 bytes), two
/// sets of phases and a reading (4 bytes each). As SystemTap's probes are.
#define NSB_NOTE(address, opens, closes, reading)           \
    asm volatile(                                           \
        "661: .pushsection .nsbench.marks,\"\",@progbits\n" \
        "     .quad " address                               \
        "\n"                                                \
        "     .long %c0, %c1, %c2\n"                        \
        "     .popsection"                                  \
        :                                                   \
        : "i"(opens), "i"(closes), "i"(reading))

/// The phases in `opens` begin, and those in `closes` end, at the `reading`th time stamp counter that this
/// process reads from here on. The note has the address of what follows.
#define NSB_MARK(opens, closes, reading) NSB_NOTE("661b", opens, closes, reading)

/// For a loop over phases: the next one of `opens` begins, and the one before ends.
#define NSB_MARK_NEXT(opens, closes, reading) \
    NSB_NOTE("661b", opens, closes, ::nsb::bench::kInTurn | std::uint32_t{reading})

/// At the first instruction of the program inside a container (inside.c), as address 0.
#define NSB_MARK_INSIDE(opens, closes, reading) NSB_NOTE("0", opens, closes, reading)
