// Batches that programs note in their ring.
#include "probe/batch_ring.h"

#include <gtest/gtest.h>

namespace nsb::probe {
namespace {

class BatchRingTest : public testing::Test {
  protected:
    /// So many more end, each with as many namespaces as its number.
    void end(std::uint64_t more) {
        for (const std::uint64_t last = ended_ + more; ended_ < last; ++ended_)
            ring_[ended_ % NSB_BATCHES] = {10 * ended_, 10 * ended_ + 5, ended_, 0};
    }
    std::vector<Batch> take(bool counts = true, bool is_whole = true) {
        return reader_.take(std::span<const nsb_batch, NSB_BATCHES>(ring_), ended_, counts, is_whole);
    }

    std::vector<nsb_batch> ring_{NSB_BATCHES};
    std::uint64_t ended_ = 0;
    BatchRing reader_;
};

TEST_F(BatchRingTest, HasEachOnceInItsOrder) {
    end(2);
    const auto two = take();
    ASSERT_EQ(two.size(), 2);
    EXPECT_EQ(two[1].begin, 10);
    EXPECT_EQ(two[1].end, 15);
    EXPECT_EQ(two[1].namespaces, 1);
    EXPECT_TRUE(take().empty());
    end(1);
    ASSERT_EQ(take().size(), 1);
    EXPECT_EQ(reader_.overwritten(), 0);
}

TEST_F(BatchRingTest, CountsWhatWasWrittenOver) {
    end(3);
    (void)take();
    end(NSB_BATCHES + 10);
    const auto left = take();
    // The place of the next one may be written to meanwhile.
    ASSERT_EQ(left.size(), NSB_BATCHES - 1);
    EXPECT_EQ(reader_.overwritten(), 11);
    EXPECT_EQ(left.front().begin, 10 * (3 + 11));
    EXPECT_EQ(left.back().begin, 10 * (ended_ - 1));
}

TEST_F(BatchRingTest, CountsNoNamespacesOfABatchThatMayLackSome) {
    end(1);
    EXPECT_FALSE(take(false).front().namespaces);
    end(1);
    EXPECT_FALSE(take(true, false).front().namespaces);
    // It was under way when an event was missed.
    end(2);
    const auto two = take();
    EXPECT_FALSE(two[0].namespaces);
    EXPECT_EQ(two[1].namespaces, 3);
}

}  // namespace
}  // namespace nsb::probe
