#include "sys/trace_record.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace nsb::sys {
namespace {

constexpr std::string_view kFormat =
    "name: workqueue_execute_start\nID: 135\nformat:\n"
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
    "\tfield:void * function;\toffset:16;\tsize:8;\tsigned:0;\n";

template <typename T>
void append(std::string& bytes, T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// A sample of that tracepoint.
std::string body_of(std::uint64_t time, std::uint16_t type, std::uint64_t function) {
    std::string body;
    append(body, time);
    append(body, std::uint32_t{24});
    append(body, type);
    body += std::string(14, '\0');
    append(body, function);
    return body;
}

std::string record_of(const std::string& body) {
    std::string record;
    append(record, perf_event_header{PERF_RECORD_SAMPLE, 0,
                                     static_cast<std::uint16_t>(sizeof(perf_event_header) + body.size())});
    return record + body;
}

TEST(TraceFormat, IsTheNumberAndThePlaceOfAField) {
    const auto format = parse_trace_format(kFormat, "function");
    ASSERT_TRUE(format);
    EXPECT_EQ(format->id, 135U);
    EXPECT_EQ(format->offset, 16U);
    EXPECT_FALSE(parse_trace_format(kFormat, "work"));
    EXPECT_FALSE(parse_trace_format("", "function"));
}

TEST(TraceFormat, HasNoFieldBehindARecordsEnd) {
    std::string far(kFormat);
    far.replace(far.find("offset:16"), 9, "offset:4294967295");
    EXPECT_FALSE(parse_trace_format(far, "function"));
}

TEST(TraceEvent, IsReadAsFarAsTheRecordGoes) {
    const std::vector<TraceFormat> formats{{7, 16}, {135, 16}};
    const std::string body = body_of(1000, 135, 0x1234);
    const auto event = event_of(body, formats);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->spec, 1U);
    EXPECT_EQ(event->time, 1000U);
    EXPECT_EQ(event->field, 0x1234U);
    EXPECT_FALSE(event_of(body_of(1000, 9, 0), formats)) << "of another tracepoint";
    for (std::size_t size = 0; size < body.size(); ++size)
        EXPECT_FALSE(event_of(std::string_view(body).substr(0, size), formats)) << size;
    EXPECT_EQ(lost_of(std::string_view(body).substr(0, 8)), 0U);
}

TEST(Ring, IsReadAlsoWhereARecordWrapsRound) {
    const std::string record = record_of(body_of(5, 135, 6));
    std::string ring(128, '\0');
    constexpr std::uint64_t kTail = 3 * 128 - 10;
    for (std::size_t i = 0; i < record.size(); ++i) ring[(kTail + i) % ring.size()] = record[i];
    std::vector<std::string> bodies;
    EXPECT_TRUE(each_record(ring, kTail, kTail + record.size(), [&](const auto&, std::span<const char> body) {
        bodies.emplace_back(body.begin(), body.end());
    }));
    EXPECT_EQ(bodies, std::vector<std::string>{body_of(5, 135, 6)});
}

TEST(Ring, EndsAtWhatIsNoRecord) {
    std::string ring(128, '\0');
    const auto none = [](const perf_event_header& /*header*/, std::span<const char> /*body*/) {
        ADD_FAILURE() << "that is no record";
    };
    EXPECT_FALSE(each_record(ring, 0, 64, none)) << "of no bytes, which would be read again and again";
    EXPECT_FALSE(each_record(ring, 0, 4, none)) << "not even a header";
    EXPECT_FALSE(each_record(ring, 0, 1000, none)) << "more than there is room for";
    EXPECT_FALSE(each_record(ring, 8, 0, none));
    ring[6] = 100;
    EXPECT_FALSE(each_record(ring, 0, 64, none)) << "longer than what is there";
}

}  // namespace
}  // namespace nsb::sys
