#include <array>
#include <numeric>

#include "exact/trace.h"
#include "fuzz/bytes.h"
#include "fuzz/target.h"

namespace nsb::fuzz {
namespace {

constexpr std::size_t kBlocks = 24;
constexpr std::uint32_t kMostInstructions = 512;  // of a block of QEMU's
constexpr std::uint32_t kFunctions = 12;

std::array<exact::CodeBlock, kBlocks> blocks_of(Bytes& bytes) {
    std::array<exact::CodeBlock, kBlocks> blocks{};
    for (std::size_t i = 0; i < kBlocks; ++i) {
        exact::CodeBlock& block = blocks[i];
        block.function = bytes.take<std::uint8_t>() % kFunctions;
        block.begin = std::uint64_t{block.function} * 1000 + bytes.take<std::uint8_t>();
        block.instructions = 1 + bytes.take<std::uint16_t>() % kMostInstructions;
        block.end = block.begin + block.instructions;
        block.last = static_cast<exact::BlockEnd>(bytes.take<std::uint8_t>() % 4);
        block.entry = static_cast<exact::Entry>(bytes.take<std::uint8_t>() % 4);
        block.is_first = bytes.take<std::uint8_t>() % 2 != 0;
        block.number = static_cast<std::uint32_t>(i);
    }
    return blocks;
}

}  // namespace

void exact(std::string_view input) {
    Bytes bytes(input);
    exact::Trace trace(2, 3, true);
    const auto blocks = blocks_of(bytes);
    std::uint64_t count = 0;
    while (!bytes.empty()) {
        const auto what = bytes.take<std::uint8_t>();
        if (what >= 0xF0) {
            trace.mark({bytes.take<std::uint8_t>(), bytes.take<std::uint8_t>(), what % 2 != 0}, count);
        } else if (what >= 0xE0) {
            trace.returns_from(std::uint64_t{bytes.take<std::uint8_t>()} << 12U);
        } else {
            const exact::CodeBlock& block = blocks[what % kBlocks];
            trace.enter(block, count);
            // All of it, or as far as something came between.
            count += what < 0xC0 ? block.instructions : what % (block.instructions + 1);
        }
    }
    trace.end(count);
    for (const exact::Segment& segment : trace.segments()) {
        std::uint64_t own = 0;
        for (const exact::Cell& cell : segment.cells) {
            must_hold(cell.node < trace.nodes().size(), "what was executed has a node");
            own += cell.self;
        }
        must_hold(own == segment.instructions, "the books balance");
        must_hold(own <= count, "no more is in the books than was executed");
        for (const exact::BlockRuns& run : segment.runs)
            must_hold(run.block < kBlocks && run.times > 0, "what was run is a block");
    }
    for (std::size_t i = exact::kOwners; i < trace.nodes().size(); ++i)
        must_hold(trace.nodes()[i].parent < i, "a node is below one before it");
}

}  // namespace nsb::fuzz
