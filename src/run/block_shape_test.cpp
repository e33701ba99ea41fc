#include "run/block_shape.h"

#include <gtest/gtest.h>

namespace nsb::run {
namespace {

const Case kUts = Case::of(Operation::unshare, Kind::uts);
const Case kPid = Case::of(Operation::clone, Kind::pid);
const Case kNet = Case::of(Operation::unshare, Kind::net | Kind::pid);
const Case kEntered = Case::of(Operation::setns, Kind::net);
const Case kRuntime = Case::of(Operation::runtime, Kind::mnt | Kind::pid | Kind::net);

TEST(BlockShape, IsThatOfWhatABlockLeavesBehind) {
    EXPECT_EQ(block_class(kUts), BlockClass::none);
    EXPECT_EQ(block_class(kPid), BlockClass::light);
    EXPECT_EQ(block_class(kNet), BlockClass::net);
    EXPECT_EQ(block_class(kEntered), BlockClass::none) << "its samples make no namespaces";
    EXPECT_EQ(block_class(kRuntime), BlockClass::runtimes);
    for (const BlockClassInfo& one : kBlockClasses) EXPECT_EQ(shape_of(one.block_class, {}), one.shape);
}

TEST(BlockShape, FillsNoMoreThanABatchOfTheKernelsTeardown) {
    for (const std::uint32_t lead_in : {0U, 2U, 16U}) {
        RunOptions options;
        options.block = 1000;
        options.lead_in = lead_in;
        EXPECT_EQ(shape_of(kUts, options), (BlockShape{lead_in, 1000}));
        EXPECT_EQ(shape_of(kRuntime, options), (BlockShape{lead_in, 1000}));
        EXPECT_EQ(shape_of(kPid, options), (BlockShape{lead_in, kMaxBacklog - lead_in}));
        EXPECT_EQ(shape_of(kNet, options), (BlockShape{lead_in, kMaxBacklog - lead_in}));
    }
}

TEST(BlockShape, OfManyProcessesAtOnceIsShorter) {
    const auto at_once = [](std::uint64_t n) { return kNet.with(Parameter::parallel, n); };
    EXPECT_EQ(shape_of(at_once(4), {}), shape_of(kNet, {}));
    for (const std::uint32_t n : {8U, 16U, 64U}) {
        const BlockShape shape = shape_of(at_once(n), {});
        EXPECT_LE((shape.lead_in + shape.samples) * n, kMaxBacklog) << n;
        EXPECT_GE(shape.samples, 1U) << n;
    }
    EXPECT_EQ(shape_of(at_once(kMaxParallel), {}), (BlockShape{0, 1}))
        << "more than a batch, but one sample each";
    EXPECT_EQ(shape_of(kUts.with(Parameter::parallel, 64), {}), shape_of(kUts, {})) << "leaves nothing";
}

TEST(BlockShape, HasRoomForMoreSamplesWhereFewProcessesLeaveSomething) {
    const Case net = Case::of(Operation::clone, Kind::net);
    EXPECT_EQ(room_in_block(net, {}, 56), 56U);
    EXPECT_EQ(room_in_block(net.with(Parameter::parallel, 4), {}, 56), 10U);
    EXPECT_EQ(room_in_block(net.with(Parameter::parallel, 64), {}, 56), 1U);
    EXPECT_EQ(room_in_block(Case::of(Operation::clone, {}).with(Parameter::parallel, 64), {}, 56), 56U)
        << "it leaves nothing to the kernel's workers";
}

TEST(BlockShape, OfAFixedNumberLeavesTenRounds) {
    for (const auto& [samples, block] :
         {std::pair{1U, 1U}, {19U, 1U}, {20U, 2U}, {100U, 10U}, {40000U, 1000U}}) {
        RunOptions options;
        options.samples = samples;
        for (const BlockClassInfo& one : kBlockClasses) {
            const BlockShape shape = shape_of(one.block_class, options);
            EXPECT_EQ(shape.samples, std::min(block, one.shape.samples)) << one.name << " of " << samples;
            EXPECT_EQ(shape.lead_in, one.shape.lead_in);
        }
        options.block = 7;
        EXPECT_EQ(shape_of(kUts, options).samples, 7U) << "as asked";
    }
}

TEST(BlockShape, IsSaidOfTheClassesThatThereAre) {
    const BlockShapes shapes = shapes_of({kUts, kNet, kEntered}, {});
    ASSERT_EQ(shapes.size(), 2U);
    EXPECT_EQ(shapes.at(BlockClass::none), shape_of(kUts, {}));
    EXPECT_EQ(shapes.at(BlockClass::net), shape_of(kNet, {}));
}

TEST(BlocksInRound, AreOfThePlan) {
    RunOptions options;
    EXPECT_EQ(blocks_in_round(1, options), 16U);
    EXPECT_EQ(blocks_in_round(9, options), 2U);
    EXPECT_EQ(blocks_in_round(16, options), 1U);
    EXPECT_EQ(blocks_in_round(606, options), 1U);
    EXPECT_EQ(blocks_of_base(1, 16, options), 16U);
    EXPECT_EQ(blocks_of_base(8, 2, options), 6U);
    EXPECT_EQ(blocks_of_base(255, 1, options), 8U);
    options.samples = 100;
    EXPECT_EQ(blocks_in_round(1, options), 1U);
    EXPECT_EQ(blocks_of_base(255, 1, options), 1U);
}

}  // namespace
}  // namespace nsb::run
