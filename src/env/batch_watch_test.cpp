#include "env/batch_watch.h"

#include <gtest/gtest.h>

namespace nsb::env {
namespace {

TEST(BatchLedger, ABatchHasItsTimesAndItsNamespaces) {
    BatchLedger ledger;
    ledger.began(100);
    // Of one namespace the function may free several things; of each namespace it frees the first.
    for (int i = 0; i < 3; ++i) ledger.freed(0x10);
    ledger.freed(0x20);
    EXPECT_TRUE(ledger.take().empty());
    ledger.ended(250);
    const auto batches = ledger.take();
    ASSERT_EQ(batches.size(), 1U);
    EXPECT_EQ(batches[0].begin, 100U);
    EXPECT_EQ(batches[0].end, 250U);
    EXPECT_EQ(batches[0].namespaces, 3U);
    EXPECT_TRUE(ledger.take().empty());
}

TEST(BatchLedger, WhatIsFreedOutsideOfBatchesIsNotCounted) {
    BatchLedger ledger;
    ledger.freed(0x10);
    ledger.began(100);
    ledger.ended(200);
    ledger.freed(0x10);
    ledger.began(300);
    ledger.freed(0x10);
    ledger.ended(400);
    const auto batches = ledger.take();
    ASSERT_EQ(batches.size(), 2U);
    EXPECT_EQ(batches[0].namespaces, 0U);
    EXPECT_EQ(batches[1].namespaces, 1U);
}

TEST(BatchLedger, ABatchWhoseBeginWasNotSeenIsNone) {
    BatchLedger ledger;
    ledger.ended(50);
    EXPECT_TRUE(ledger.take().empty());
}

TEST(BatchLedger, ABatchOfWhichEventsAreMissingIsNotCounted) {
    BatchLedger ledger;
    ledger.began(100);
    ledger.freed(0x10);
    ledger.lost();
    ledger.ended(200);
    ledger.began(300);
    ledger.freed(0x10);
    ledger.ended(400);
    const auto batches = ledger.take();
    ASSERT_EQ(batches.size(), 2U);
    EXPECT_FALSE(batches[0].namespaces);
    EXPECT_EQ(batches[1].namespaces, 1U);
}

TEST(FindText, AFunctionEndsWhereTheNextSymbolBegins) {
    const std::string_view text =
        "ffffffff81000300 T behind\n"
        "ffffffff81000100 t wanted\n"
        "ffffffff81000100 t alias_of_wanted\n"
        "ffffffff81000200 T next\n";
    const auto range = find_text(text, "wanted");
    ASSERT_TRUE(range);
    EXPECT_EQ(range->begin, 0xffffffff81000100U);
    EXPECT_EQ(range->end, 0xffffffff81000200U);
    EXPECT_FALSE(find_text(text, "missing"));
    EXPECT_FALSE(find_text("0000000000000000 t wanted\n0000000000000000 t next\n", "wanted"));
    EXPECT_FALSE(find_text("ffffffffffffffff t wanted\n", "wanted"));
}

}  // namespace
}  // namespace nsb::env
