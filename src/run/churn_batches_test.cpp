#include "run/churn_batches.h"

#include <gtest/gtest.h>

#include <utility>

namespace nsb::run {
namespace {

constexpr std::uint64_t kBegin = 1'000'000'000;

/// Tells of what it is given.
class Told final : public BatchSource {
  public:
    std::vector<Batch> take() override { return std::exchange(next, {}); }
    [[nodiscard]] std::optional<std::uint64_t> lost() const override { return missing; }
    [[nodiscard]] const BatchView& view() const override { return view_; }

    std::vector<Batch> next;
    std::optional<std::uint64_t> missing = 0;

  private:
    BatchView view_{Backend::kprobe, "fentry: no", ""};
};

TEST(BatchRecorderTest, FiguresAreOfAllThatBeganWithTheLoad) {
    Told source;
    BatchRecorder recorder(source, kBegin);
    source.next = {{kBegin - 5, kBegin + 5, 9}, {kBegin + 1'000'000, kBegin + 3'000'000, 2}};
    recorder.take();
    source.next = {{kBegin + 4'000'000, kBegin + 8'000'000, 6},
                   {kBegin + 9'000'000, kBegin + 9'500'000, std::nullopt}};
    recorder.take();
    const BatchFigures figures = recorder.figures();
    EXPECT_EQ(figures.view.backend, Backend::kprobe);
    EXPECT_EQ(figures.count, 3U);
    ASSERT_EQ(figures.rows.size(), 3U);
    EXPECT_DOUBLE_EQ(figures.rows[0].begin_s, 0.001);
    EXPECT_EQ(figures.rows[0].duration, 2'000'000U);
    EXPECT_EQ(figures.rows[1].namespaces, 6U);
    EXPECT_FALSE(figures.rows[2].namespaces);
    EXPECT_EQ(figures.busy, 6'500'000U);
    EXPECT_EQ(figures.durations.max, 4'000'000U);
    EXPECT_EQ(figures.namespaces.count, 2U);
    EXPECT_EQ(figures.namespaces_sum, 8U);
}

TEST(BatchRecorderTest, CountsOfWhichNoneIsAboveZeroAreNone) {
    Told source;
    BatchRecorder recorder(source, kBegin);
    EXPECT_TRUE(recorder.figures().view.uncounted.empty());
    source.next = {{kBegin + 1, kBegin + 2, 0}, {kBegin + 3, kBegin + 4, 0}};
    recorder.take();
    const BatchFigures figures = recorder.figures();
    EXPECT_EQ(figures.count, 2U);
    EXPECT_EQ(figures.namespaces.count, 0U);
    EXPECT_FALSE(figures.rows[0].namespaces || figures.rows[1].namespaces);
    EXPECT_FALSE(figures.view.uncounted.empty());
}

TEST(BatchRecorderTest, WhatIsNotCountedForLostEventsSaysSo) {
    Told source;
    BatchRecorder recorder(source, kBegin);
    source.missing = 3;
    source.next = {{kBegin + 1, kBegin + 2, std::nullopt}};
    recorder.take();
    const BatchFigures none = recorder.figures();
    EXPECT_EQ(none.view.uncounted, "events of theirs were lost");
    EXPECT_EQ(none.lost, 3U);
    source.next = {{kBegin + 3, kBegin + 4, 5}};
    recorder.take();
    const BatchFigures some = recorder.figures();
    EXPECT_EQ(some.view.uncounted, "events of theirs were lost");
    EXPECT_EQ(some.namespaces.count, 1U);
    EXPECT_EQ(some.rows[1].namespaces, 5U);
    source.missing.reset();
    EXPECT_FALSE(recorder.figures().lost);
}

TEST(BatchRecorderTest, RowsHaveALimitAndFiguresHaveNone) {
    Told source;
    BatchRecorder recorder(source, kBegin);
    for (std::uint64_t i = 0; i < kMostBatchRows + 3; ++i)
        source.next.push_back({kBegin + i, kBegin + i + 1, 1});
    recorder.take();
    const BatchFigures figures = recorder.figures();
    EXPECT_EQ(figures.rows.size(), kMostBatchRows);
    EXPECT_EQ(figures.count, kMostBatchRows + 3);
    EXPECT_EQ(figures.namespaces_sum, kMostBatchRows + 3);
}

}  // namespace
}  // namespace nsb::run
