#include "run/answer.h"

#include <algorithm>

#include "run/limits.h"

namespace nsb::run {

bool is_sound(const protocol::Record& record) {
    constexpr int kMostErrno = 4095;  // MAX_ERRNO
    constexpr auto kMost = static_cast<std::uint64_t>(kMostTicks);
    const auto [call, error] = record.failure;
    const bool is_failure = static_cast<std::size_t>(call) < protocol::kCallNames.size() && error > 0 &&
                            error <= kMostErrno && call != protocol::Call::none;
    if (error != 0) return is_failure;
    return record.ended <= kMost &&
           std::ranges::all_of(record.times, [&](std::uint64_t ticks) { return ticks <= kMost; });
}

std::optional<std::vector<protocol::Record>> records_of(const protocol::SharedMemory& memory,
                                                        std::uint32_t count) {
    if (count == 0 || count > protocol::kMaxSamples) return std::nullopt;
    std::vector<protocol::Record> records(memory.records, memory.records + count);
    if (!std::ranges::all_of(records, is_sound)) return std::nullopt;
    return records;
}

}  // namespace nsb::run
