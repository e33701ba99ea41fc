#include "probe/maps.h"

#include <gtest/gtest.h>

namespace nsb::probe {
namespace {

constexpr std::uint32_t name_of(std::uint32_t caller, std::uint32_t function) {
    return caller * NSB_MAX_FUNCTIONS + function;
}

TEST(NodeNames, StandForTheSameCallsOnce) {
    NodeNames names;
    names.add(name_of(NSB_ROOT, 5));
    names.add(name_of(1, 6));
    names.add(name_of(NSB_ROOT, 5));
    names.add(name_of(3, 7));
    ASSERT_EQ(names.nodes().size(), 5U);
    EXPECT_EQ(names.nodes()[3].node, 1U);
    EXPECT_EQ(names.nodes()[4].caller, 1U) << "also for those that they call";
}

TEST(NodeNames, HaveNoCallerThatIsNotThere) {
    NodeNames names;
    names.add(name_of(300, 5));
    names.add(~std::uint32_t{0});
    EXPECT_EQ(names.nodes()[1].caller, std::uint32_t{NSB_ROOT});
    EXPECT_EQ(names.nodes()[2].caller, std::uint32_t{NSB_ROOT});
}

TEST(Snapshot, LeavesOutFunctionsThatAreNotTraced) {
    std::vector<nsb_calls> calls(std::size_t{NSB_ROWS} * NSB_NODES);
    const std::vector<__u64> buckets(std::size_t{NSB_MAX_FUNCTIONS} * NSB_BUCKETS);
    const std::vector<__u64> lost(NSB_LOST_REASONS);
    const std::vector<nsb_objects> objects(NSB_MAX_FUNCTIONS);
    NodeNames names;
    names.add(name_of(NSB_ROOT, 5));
    names.add(name_of(NSB_ROOT, NSB_MAX_FUNCTIONS - 1));
    calls[NSB_NODES + 1].calls = calls[NSB_NODES + 2].calls = 3;
    const Snapshot snapshot = snapshot_of({calls, buckets, lost, objects}, names.nodes());
    ASSERT_EQ(snapshot.calls.size(), 1U);
    EXPECT_EQ(snapshot.calls.front().function, 5U);
    EXPECT_EQ(snapshot.executions.size(), 1U);
}

TEST(Snapshot, CountsEachCallThatThereIsNoNodeFor) {
    std::vector<nsb_calls> calls(std::size_t{NSB_ROWS} * NSB_NODES);
    const std::vector<__u64> buckets(std::size_t{NSB_MAX_FUNCTIONS} * NSB_BUCKETS);
    std::vector<__u64> lost(NSB_LOST_REASONS);
    const std::vector<nsb_objects> objects(NSB_MAX_FUNCTIONS);
    const NodeNames names;
    for (const std::size_t row : {1U, 2U}) calls[row * NSB_NODES + NSB_NO_NODE].calls = 3;
    EXPECT_EQ(snapshot_of({calls, buckets, lost, objects}, names.nodes()).lost[NSB_LOST_NODE], 6U);
    lost[NSB_LOST_NODE] = 8;  // two are under way
    EXPECT_EQ(snapshot_of({calls, buckets, lost, objects}, names.nodes()).lost[NSB_LOST_NODE], 8U);
}

TEST(Profile, HasNoEntryOfWhatIsNotCounted) {
    const std::vector<std::string> stack;
    const auto freed = entry_of({1, NSB_SLAB | NSB_FREED, 1}, {4, 400}, stack);
    ASSERT_TRUE(freed);
    EXPECT_TRUE(freed->freed && freed->async);
    EXPECT_EQ(freed->what, NSB_SLAB);
    for (const std::uint32_t what : {6U, 256U, ~std::uint32_t{0}})
        EXPECT_FALSE(entry_of({1, what, 0}, {}, stack));
}

TEST(Stack, HasNoMoreFramesThanThereIsRoomFor) {
    nsb_stack stack{};
    stack.frames = 1000;
    for (__u64& address : stack.address) address = 0xffffffff81000010;
    const Symbols symbols = Symbols::parse("ffffffff81000000 T f\n");
    EXPECT_EQ(functions_on(stack, symbols).size(), std::size_t{NSB_FRAMES});
}

}  // namespace
}  // namespace nsb::probe
