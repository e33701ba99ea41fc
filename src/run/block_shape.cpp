#include "run/block_shape.h"

#include <algorithm>
#include <cmath>

#include "run/schedule.h"

namespace nsb::run {
namespace {

/// Samples of a fixed number are spread over at least this many rounds.
constexpr std::uint32_t kRoundsOfFixed = 10;
/// A round of few cases has about as many blocks: enough to be a sample of the machine's state.
constexpr std::size_t kBlocksOfRound = 16;
/// For each block of its cases, a base has at most so many.
constexpr double kMostOfBase = 8;

constexpr bool is_in_order() {
    for (std::size_t i = 0; i < kBlockClasses.size(); ++i) {
        if (static_cast<std::size_t>(kBlockClasses[i].block_class) != i) return false;
    }
    return true;
}
static_assert(is_in_order());

/// At least one sample that counts, and as much of the rest as a batch of the kernel's teardown has room for.
BlockShape within_batch(BlockShape shape, BlockClass block_class, std::uint32_t at_once) {
    if (block_class != BlockClass::light && block_class != BlockClass::net) return shape;
    const std::uint32_t room = std::max<std::uint32_t>(1, kMaxBacklog / at_once);
    shape.lead_in = std::min(shape.lead_in, room - 1);
    shape.samples = std::min(shape.samples, room - shape.lead_in);
    return shape;
}

}  // namespace

BlockClass block_class(const Case& c) {
    if (c.has(Trait::sandboxed)) return BlockClass::runtimes;
    // What a block's process keeps for all its samples is made and torn down once.
    if (c.has(Trait::held)) return BlockClass::none;
    switch (teardown_class(c)) {
        case TeardownClass::net:
            return BlockClass::net;
        case TeardownClass::user:
        case TeardownClass::light:
            return BlockClass::light;
        case TeardownClass::none:
            break;
    }
    return BlockClass::none;
}

std::uint32_t share_of_fixed(std::uint32_t samples) {
    return std::max(1U, samples / kRoundsOfFixed);
}

BlockShape shape_of(BlockClass block_class, const RunOptions& options) {
    BlockShape shape = info(block_class).shape;
    if (options.samples) shape.samples = std::min(shape.samples, share_of_fixed(*options.samples));
    shape.samples = options.block.value_or(shape.samples);
    shape.lead_in = options.lead_in.value_or(shape.lead_in);
    return within_batch(shape, block_class, 1);
}

BlockShape shape_of(const Case& c, const RunOptions& options) {
    return within_batch(shape_of(block_class(c), options), block_class(c), c.at_once());
}

std::uint32_t room_in_block(const Case& c, const RunOptions& options, std::uint32_t samples) {
    return within_batch({shape_of(c, options).lead_in, samples}, block_class(c), c.at_once()).samples;
}

BlockShapes shapes_of(const std::vector<Case>& cases, const RunOptions& options) {
    BlockShapes shapes;
    for (const Case& c : cases) shapes[block_class(c)] = shape_of(c, options);
    return shapes;
}

std::uint32_t blocks_in_round(std::size_t planned, const RunOptions& options) {
    if (options.samples || planned == 0) return 1;
    return static_cast<std::uint32_t>((kBlocksOfRound + planned - 1) / planned);
}

std::uint32_t blocks_of_base(std::size_t serves, std::uint32_t each, const RunOptions& options) {
    if (options.samples) return each;
    const double root = std::ceil(std::sqrt(static_cast<double>(serves)));
    return each * static_cast<std::uint32_t>(std::clamp(root, 1.0, kMostOfBase));
}

}  // namespace nsb::run
