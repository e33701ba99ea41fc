// The shape of blocks: constants of what a run measures, and nothing of how fast this machine was when it
// began. Runs whose blocks are alike measure the same thing; bench/README.md has the figures that the table
// is chosen by.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string_view>

#include "core/case.h"
#include "run/run_options.h"

namespace nsb::run {

/// What shapes a block: the heaviest teardown that its samples leave to the kernel's workers, or that another
/// program does the work.
enum class BlockClass : std::uint8_t { none, light, net, runtimes };

struct BlockShape {
    std::uint32_t lead_in = 0;  ///< samples that come first and are not counted
    std::uint32_t samples = 0;  ///< counted ones
    bool operator==(const BlockShape&) const = default;
};

struct BlockClassInfo {
    BlockClass block_class;
    std::string_view name;
    BlockShape shape;
};

/// In the order of the enumeration. The lead-in is long enough that the place in a block explains less
/// than 1.5% of what counts, and 0.4% where nothing waits for teardown (scripts/validate.py position): a
/// longer one would leave the default plan too few rounds. The rest of a block is longer where a sample costs
/// less: many short rounds say more than few long ones, since rounds differ more than the samples of a block
/// do.
inline constexpr std::array kBlockClasses{
    BlockClassInfo{BlockClass::none, "none", {8, 16}},
    BlockClassInfo{BlockClass::light, "light", {6, 4}},
    BlockClassInfo{BlockClass::net, "net", {6, 4}},
    BlockClassInfo{BlockClass::runtimes, "runtimes", {1, 2}},
};

inline constexpr std::uint32_t kLongestLeadIn =
    std::ranges::max(kBlockClasses, {}, [](const BlockClassInfo& one) {
        return one.shape.lead_in;
    }).shape.lead_in;

inline constexpr const BlockClassInfo& info(BlockClass block_class) {
    return kBlockClasses[static_cast<std::size_t>(block_class)];
}

using BlockShapes = std::map<BlockClass, BlockShape>;

BlockClass block_class(const Case& c);

/// The table's, unless the options say otherwise; never more than one batch of the kernel's teardown.
BlockShape shape_of(BlockClass block_class, const RunOptions& options);
/// That of its class; shorter where each of its samples is of so many processes at once that a batch holds
/// fewer.
BlockShape shape_of(const Case& c, const RunOptions& options);

/// How many of `samples` a block of the case has room for behind its lead-in.
std::uint32_t room_in_block(const Case& c, const RunOptions& options, std::uint32_t samples);

/// Of the classes that these cases belong to.
BlockShapes shapes_of(const std::vector<Case>& cases, const RunOptions& options);

/// Counted samples of a block where their number is fixed, of any class: that many rounds of them are
/// measured.
std::uint32_t share_of_fixed(std::uint32_t samples);

/// Blocks that each case of a plan of `planned` cases has in a round.
std::uint32_t blocks_in_round(std::size_t planned, const RunOptions& options);

/// Blocks that a base of `serves` cases has, where its cases have `each`: what many differences have in
/// common is worth more effort.
std::uint32_t blocks_of_base(std::size_t serves, std::uint32_t each, const RunOptions& options);

}  // namespace nsb::run
