#include "env/teardown.h"

#include <gtest/gtest.h>

namespace nsb::env {
namespace {

TEST(WorkerLedger, ABatchIsOverWhenAllThatWasQueuedHasEnded) {
    WorkerLedger net(true);
    net.begin(false);
    EXPECT_TRUE(net.is_done(0));
    EXPECT_FALSE(net.is_done(5));
    net.queued();
    EXPECT_FALSE(net.is_done(5));
    net.started(1000);
    net.queued();  // more came while it ran
    net.ended(1500);
    EXPECT_FALSE(net.is_done(5));
    net.started(2000);
    EXPECT_FALSE(net.is_done(5));
    net.ended(2100);
    EXPECT_TRUE(net.is_done(5));
    EXPECT_DOUBLE_EQ(net.busy(), 600);
}

TEST(WorkerLedger, OneItemEachMayOverlap) {
    WorkerLedger user(false);
    user.started(100);
    user.started(110);
    user.ended(120);
    EXPECT_FALSE(user.is_done(1));  // a running one has no time yet
    user.ended(150);
    EXPECT_TRUE(user.is_done(2));
    EXPECT_FALSE(user.is_done(3));
    EXPECT_DOUBLE_EQ(user.busy(), 20 + 40);
}

TEST(WorkerLedger, WhatRanBeforeTheBatchHasNoTimeInIt) {
    WorkerLedger net(true);
    net.queued();
    net.started(100);
    net.begin(false);
    net.queued();
    net.ended(5000);  // the earlier one
    EXPECT_FALSE(net.is_done(1));
    net.started(6000);
    net.ended(6010);
    EXPECT_TRUE(net.is_done(1));
    EXPECT_DOUBLE_EQ(net.busy(), 10);
}

TEST(WorkerLedger, ALostEndIsNotWaitedForForEver) {
    WorkerLedger net(true);
    net.queued();
    net.begin(true);
    net.queued();
    net.started(1);
    net.ended(2);
    EXPECT_TRUE(net.is_done(1));
}

}  // namespace
}  // namespace nsb::env
