// What the workers of a load have recorded since the last look.
#pragma once

#include <cstdint>
#include <span>

#include "core/churn.h"

namespace nsb::run {

/// Visits the records of a ring from number `read` up to `written`, and sets `read` to that. Where there are
/// more than a ring has room for, which no worker writes, nobody knows them any more: how many these are.
template <typename Visit>
[[nodiscard]] std::uint64_t each_new(std::span<const churn::Record> ring, std::uint64_t& read,
                                     std::uint64_t written, Visit visit) {
    const std::uint64_t count = written - read;
    if (count > ring.size()) {
        read = written;
        return count;
    }
    for (; read != written; ++read) visit(ring[read % ring.size()]);
    return 0;
}

}  // namespace nsb::run
