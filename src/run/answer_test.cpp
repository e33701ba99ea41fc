#include "run/answer.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <limits>
#include <memory>

#include "run/limits.h"

namespace nsb::run {
namespace {

using protocol::Call;
using protocol::Record;

TEST(Answer, HasAsManyRecordsAsItSays) {
    const auto memory = std::make_unique<protocol::SharedMemory>();
    EXPECT_EQ(records_of(*memory, 2).value().size(), 2U);
    EXPECT_EQ(records_of(*memory, protocol::kMaxSamples).value().size(), protocol::kMaxSamples);
    EXPECT_FALSE(records_of(*memory, 0)) << "one at least is told of";
    EXPECT_FALSE(records_of(*memory, protocol::kMaxSamples + 1)) << "there is no room for them";
}

TEST(Answer, IsNoneWithARecordThatNoSamplerMakes) {
    const auto memory = std::make_unique<protocol::SharedMemory>();
    const auto is_taken = [&](const Record& record) {
        memory->records[1] = record;
        return records_of(*memory, 2).has_value();
    };
    EXPECT_TRUE(is_taken({{Call::clone, EPERM}, {}}));
    EXPECT_FALSE(is_taken({{static_cast<Call>(250), EPERM}, {}}));
    EXPECT_FALSE(is_taken({{Call::none, EPERM}, {}}));
    EXPECT_FALSE(is_taken({{Call::clone, -1}, {}}));
    EXPECT_FALSE(is_taken({{Call::clone, 4096}, {}}));
    Record record{};
    record.times.front() = static_cast<std::uint64_t>(kMostTicks);
    EXPECT_TRUE(is_taken(record));
    // As the difference of two readings in the wrong order.
    record.times.front() = std::numeric_limits<std::uint64_t>::max() - 5;
    EXPECT_FALSE(is_taken(record)) << "it would be written, and not be read again";
    record.times.front() = 0;
    record.ended = record.times.front() - 1;
    EXPECT_FALSE(is_taken(record));
}

}  // namespace
}  // namespace nsb::run
