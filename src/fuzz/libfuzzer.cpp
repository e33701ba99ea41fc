// One target as clang's libFuzzer calls it. What the target throws ends the program, which is a finding.
#include <cstddef>
#include <cstdint>

#include "fuzz/target.h"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    nsb::fuzz::NSB_FUZZED({reinterpret_cast<const char*>(data), size});
    return 0;
}
