// Where instructions are put, for the ways in which one block follows another.
#include "exact/trace.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace nsb::exact {
namespace {

constexpr Function kSwitchTo = 2, kOuter = 3, kInner = 4, kOther = 5, kEntry = 6, kIrq = 7, kFault = 8,
                   kFork = 9, kKthread = 10;
const char* const kNames[] = {"user",  "?",   "switch_to", "outer", "inner",  "other",
                              "entry", "irq", "fault",     "fork",  "kthread"};
constexpr std::uint64_t kTask = 0x1'0000, kNextTask = 0x2'0000;  // their kernel stacks

/// Code blocks that are executed one after the other. A function's blocks begin at a thousand times its
/// number.
class ExecutedBlocks {
  public:
    ExecutedBlocks() { run(kUser, 0, 1); }

    void mark(std::uint32_t opens, std::uint32_t closes, bool in_turn = false) {
        trace.mark({opens, closes, in_turn}, count_);
    }

    /// Executes `instructions` of a block of so many at this offset, if not all.
    void run(Function function, std::uint64_t offset, std::uint32_t instructions,
             BlockEnd last = BlockEnd::none, Entry entry = Entry::none, std::uint32_t executed = 0) {
        const std::uint64_t begin = std::uint64_t{function} * 1000 + offset;
        blocks_.push_back({begin, begin + instructions, instructions, function, last, entry,
                           offset == 0 && function != kUser, static_cast<std::uint32_t>(blocks_.size())});
        trace.enter(blocks_.back(), count_);
        count_ += executed == 0 ? instructions : executed;
    }

    /// Executes the last block once more.
    void again() {
        trace.enter(blocks_.back(), count_);
        count_ += blocks_.back().instructions;
    }

    void end() { trace.end(count_); }

    /// "calls self" by path, of all segments in which phase 1 was open.
    std::map<std::string, std::string> costs() {
        end();
        std::map<std::string, std::pair<std::uint32_t, std::uint64_t>> sums;
        std::uint64_t whole = 0;
        std::uint64_t own = 0;
        for (const Segment& segment : trace.segments()) {
            whole += segment.instructions;
            for (const Cell& cell : segment.cells) {
                own += cell.self;
                if ((segment.phases & 1U) == 0) continue;
                sums[path(cell.node)].first += cell.calls;
                sums[path(cell.node)].second += cell.self;
            }
        }
        EXPECT_EQ(own, whole) << "the books do not balance";
        std::map<std::string, std::string> found;
        for (const auto& [name, sum] : sums)
            found[name] = std::to_string(sum.first) + " " + std::to_string(sum.second);
        return found;
    }

    /// "function+offset: instructions × times" of each run, and whether it is an interrupt's.
    std::vector<std::string> runs() {
        end();
        std::vector<std::string> found;
        for (const Segment& segment : trace.segments()) {
            std::map<std::pair<Owner, Function>, std::uint64_t> sums;
            for (const BlockRuns& run : segment.runs) {
                const CodeBlock& block = blocks_[run.block];
                sums[{run.owner, block.function}] += run.instructions * run.times;
                std::ostringstream text;
                text << kNames[block.function] << '+' << block.begin % 1000 << ": " << run.instructions
                     << " × " << run.times << (run.owner == Owner::interrupt ? " interrupt" : "");
                found.push_back(text.str());
            }
            if (segment.phases == 0) {
                EXPECT_TRUE(segment.runs.empty());
                continue;
            }
            for (const Cell& cell : segment.cells) {
                const TraceNode& node = trace.nodes()[cell.node];
                if (node.function != kUser) sums[{node.owner, node.function}] -= cell.self;
            }
            for (const auto& [what, left] : sums) EXPECT_EQ(left, 0U) << kNames[what.second];
        }
        return found;
    }

    Trace trace{kSwitchTo, kKthread, true};

  private:
    std::string path(std::uint32_t node) {
        static const char* const kOwnerNames[] = {"call", "child", "other tasks", "interrupt"};
        if (node < kOwners) return kOwnerNames[node];
        return path(trace.nodes()[node].parent) + ";" + kNames[trace.nodes()[node].function];
    }

    std::deque<CodeBlock> blocks_;
    std::uint64_t count_ = 0;
};

using Costs = std::map<std::string, std::string>;

TEST(Trace, CallsAndReturns) {
    ExecutedBlocks program;
    program.mark(1, 0);
    program.run(kUser, 1, 2);
    program.run(kEntry, 0, 3, BlockEnd::call);
    program.run(kOuter, 0, 5, BlockEnd::call);
    program.run(kInner, 0, 7, BlockEnd::ret);
    program.run(kOuter, 5, 11, BlockEnd::call);
    program.run(kInner, 0, 7, BlockEnd::ret);
    program.run(kOuter, 16, 1, BlockEnd::ret);
    program.run(kEntry, 3, 1, BlockEnd::iret);
    program.run(kUser, 3, 4);
    program.mark(0, 1);
    program.run(kUser, 7, 100);
    EXPECT_EQ(program.costs(), (Costs{{"call;user", "0 6"},
                                      {"call;entry", "1 4"},
                                      {"call;entry;outer", "1 17"},
                                      {"call;entry;outer;inner", "2 14"}}));
}

TEST(Trace, RunsAreOfWhatWasExecuted) {
    ExecutedBlocks program;
    program.run(kEntry, 0, 3);  // no phase is open yet
    program.run(kUser, 1, 2);
    program.mark(1, 0);
    program.run(kEntry, 0, 3, BlockEnd::call);
    program.run(kOuter, 0, 5, BlockEnd::none, Entry::none,
                2);  // its second instruction fails, and is tried again
    program.run(kFault, 0, 4, BlockEnd::iret, Entry::fault);
    program.run(kOuter, 1, 4, BlockEnd::none, Entry::none, 3);  // interrupted before its last
    program.run(kIrq, 0, 6, BlockEnd::iret, Entry::interrupt);
    program.run(kOuter, 4, 1);
    program.run(kOuter, 7, 2);
    program.again();
    program.again();
    program.run(kUser, 3, 4);
    const std::vector<std::string> expected{"entry+0: 3 × 1", "outer+0: 1 × 1",         "fault+0: 4 × 1",
                                            "outer+1: 3 × 1", "irq+0: 6 × 1 interrupt", "outer+4: 1 × 1",
                                            "outer+7: 2 × 3"};
    EXPECT_EQ(program.runs(), expected);
}

TEST(Trace, ATailCallReturnsForItsCaller) {
    ExecutedBlocks program;
    program.mark(1, 0);
    program.run(kEntry, 0, 1, BlockEnd::call);
    program.run(kOuter, 0, 2);
    program.run(kInner, 0, 3, BlockEnd::ret);  // jumped to
    program.run(kEntry, 1, 4);
    program.run(kOther, 10, 5);  // into the middle of a function, and back: no call of it
    program.run(kEntry, 5, 6);
    EXPECT_EQ(program.costs(), (Costs{{"call;entry", "1 11"},
                                      {"call;entry;outer", "1 2"},
                                      {"call;entry;outer;inner", "1 3"},
                                      {"call;entry;other", "0 5"}}));
}

TEST(Trace, ARecursiveCallIsACall) {
    ExecutedBlocks program;
    program.mark(1, 0);
    program.run(kOuter, 0, 1, BlockEnd::call);
    program.run(kOuter, 0, 2, BlockEnd::ret);
    program.run(kOuter, 1, 4);
    EXPECT_EQ(program.costs(), (Costs{{"call;outer", "1 5"}, {"call;outer;outer", "1 2"}}));
}

TEST(Trace, AnInterruptIsNobodysCall) {
    ExecutedBlocks program;
    program.mark(1, 0);
    program.run(kEntry, 0, 1, BlockEnd::call);  // comes between the call and the function
    program.run(kIrq, 0, 10, BlockEnd::call, Entry::interrupt);
    program.run(kOther, 0, 20, BlockEnd::ret);
    program.run(kIrq, 10, 30, BlockEnd::iret);
    program.run(kOuter, 0, 2, BlockEnd::ret);
    program.run(kEntry, 1, 4);
    EXPECT_EQ(program.costs(), (Costs{{"call;entry", "1 5"},
                                      {"call;entry;outer", "1 2"},
                                      {"interrupt;irq", "1 40"},
                                      {"interrupt;irq;other", "1 20"}}));
}

TEST(Trace, AnInstructionThatFaultsIsTriedTwiceAndCountsOnce) {
    ExecutedBlocks program;
    program.mark(1, 0);
    program.run(kOuter, 0, 9, BlockEnd::call, Entry::none, 4);  // the fourth fails
    program.run(kFault, 0, 10, BlockEnd::iret, Entry::fault);
    program.run(kOuter, 3, 6, BlockEnd::call);
    program.run(kInner, 0, 2, BlockEnd::ret);
    program.run(kOuter, 9, 1);
    EXPECT_EQ(program.costs(),
              (Costs{{"call;outer", "1 10"}, {"call;outer;fault", "1 10"}, {"call;outer;inner", "1 2"}}));
}

TEST(Trace, AFaultInUserModeCountsOnceWhereTheInstructionWasTried) {
    ExecutedBlocks program;
    program.mark(1, 0);
    program.run(kUser, 1, 5);
    program.run(kFault, 0, 10, BlockEnd::iret, Entry::fault);
    program.run(kUser, 5, 3);  // the block's last instruction again
    program.run(kFault, 0, 10, BlockEnd::iret, Entry::fault);
    program.run(kUser, 8, 1);  // the next page's first one, which could not be fetched
    EXPECT_EQ(program.costs(), (Costs{{"call;user", "0 8"}, {"call;fault", "2 20"}}));
}

TEST(Trace, AnotherTaskAndBack) {
    ExecutedBlocks program;
    program.run(kEntry, 0, 1, BlockEnd::call);
    program.run(kSwitchTo, 0, 1, BlockEnd::ret);
    program.trace.returns_from(kTask + 8);
    program.run(kOuter, 5, 1, BlockEnd::ret);  // in a task that was never seen
    program.run(kEntry, 9, 1, BlockEnd::iret);
    program.run(kUser, 0, 1);
    program.mark(1, 0);
    program.run(kEntry, 0, 2, BlockEnd::call);
    program.run(kSwitchTo, 0, 3, BlockEnd::ret);
    program.trace.returns_from(kNextTask + 8);
    program.run(kFork, 0, 5, BlockEnd::call, Entry::fork);  // made meanwhile
    program.run(kSwitchTo, 0, 7, BlockEnd::ret);
    program.trace.returns_from(kTask + 16);
    program.run(kEntry, 2, 11);
    EXPECT_EQ(program.costs(), (Costs{{"call;entry", "1 13"},
                                      {"call;entry;switch_to", "1 3"},
                                      {"child;fork", "1 5"},
                                      {"child;fork;switch_to", "1 7"}}));
}

TEST(Trace, AKernelThreadThatIsMadeMeanwhileIsNobodysChild) {
    ExecutedBlocks program;
    program.mark(1, 0);
    program.run(kEntry, 0, 2, BlockEnd::call);
    program.run(kSwitchTo, 0, 3, BlockEnd::ret);
    program.trace.returns_from(kNextTask + 8);
    program.run(kFork, 0, 5, BlockEnd::call, Entry::fork);
    program.run(kKthread, 0, 7);
    EXPECT_EQ(program.costs(), (Costs{{"call;entry", "1 2"},
                                      {"call;entry;switch_to", "1 3"},
                                      {"child;fork", "1 5"},
                                      {"other tasks;fork;kthread", "1 7"}}));
}

TEST(Trace, AReturnThatLeadsNowhereIsToldAndLosesNothing) {
    ExecutedBlocks program;
    program.mark(1, 0);
    program.run(kEntry, 0, 1, BlockEnd::call);
    program.run(kOuter, 0, 2, BlockEnd::ret);
    program.run(kOther, 50, 3);
    program.mark(0, 1);
    EXPECT_EQ(program.trace.segments().back().lost, 1);
    EXPECT_EQ(program.trace.segments().back().instructions, 6);
}

TEST(Trace, PhasesThatOverlapAreSegments) {
    ExecutedBlocks program;
    program.mark(1 | 2, 0);
    program.run(kUser, 1, 10);
    program.mark(4, 1);
    program.run(kUser, 11, 20);
    program.mark(0, 2 | 4);
    std::vector<std::pair<std::uint32_t, std::uint64_t>> found;
    for (const Segment& segment : program.trace.segments())
        found.emplace_back(segment.phases, segment.instructions);
    EXPECT_EQ(found, (std::vector<std::pair<std::uint32_t, std::uint64_t>>{{3, 10}, {6, 20}}));
}

TEST(Trace, PhasesInTurnAreNumbered) {
    ExecutedBlocks program;
    for (int sample = 0; sample < 2; ++sample) {
        program.mark(1, 0);
        program.run(kUser, 1, 2);
        program.mark(2 | 4 | 8, 0, true);
        program.run(kUser, 3, 5);
        program.mark(2 | 4 | 8, 0, true);
        program.run(kUser, 8, 7);
        program.mark(0, 2 | 4 | 8);
        program.run(kUser, 15, 11);
        program.mark(0, 1);
    }
    program.end();
    std::ostringstream found;
    for (const Segment& one : program.trace.segments()) {
        found << one.phases << ' ' << one.in_turn << ' ' << (one.in_turn == 0 ? 0 : one.turn) << ' '
              << one.instructions << '\n';
    }
    const std::string sample = "1 0 0 2\n15 14 1 5\n15 14 2 7\n1 0 0 11\n0 0 0 0\n";
    EXPECT_EQ(found.str(), sample + sample);
}

TEST(GuestSymbols, AreFoundByAddress) {
    std::istringstream text(
        "ffffffff81000000 T _stext\nffffffff81000000 T startup_64\nffffffff81000100 t inner\n"
        "ffffffff81000180 t inner.cold\nffffffff81000200 D data\nffffffffc0000000 t of_module\t[module]\n"
        "0000000000001000 t percpu\n");
    const GuestSymbols symbols = GuestSymbols::read(text);
    EXPECT_EQ(symbols.at(0x401000), kUser);
    EXPECT_EQ(symbols.at(kKernel), kNameless);
    EXPECT_EQ(symbols.name(symbols.at(0xffffffff81000001)), "_stext");
    EXPECT_EQ(symbols.name(symbols.at(0xffffffff81000190)), "inner");
    EXPECT_EQ(symbols.at(0xffffffff81000100), symbols.find("inner"));
    EXPECT_EQ(symbols.name(symbols.at(0xffffffffc0000010)), "of_module");
    EXPECT_EQ(symbols.at(0xffffffffc0020000), kNameless);
    EXPECT_TRUE(symbols.is_first(0xffffffff81000100));
    EXPECT_FALSE(symbols.is_first(0xffffffff81000101));
    EXPECT_FALSE(symbols.find("data"));
}

TEST(GuestSymbols, HiddenAddressesAreNone) {
    std::istringstream text("0000000000000000 T _stext\n0000000000000000 t inner\n");
    EXPECT_TRUE(GuestSymbols::read(text).empty());
}

TEST(Trace, TriesThatFailedTakeNothingFromTheBooks) {
    Trace trace(kSwitchTo, kKthread);
    const CodeBlock outer{3000, 3010, 10, kOuter, BlockEnd::none, Entry::none, true, 0};
    const CodeBlock fault{8000, 8010, 10, kFault, BlockEnd::none, Entry::fault, true, 1};
    trace.mark({1, 0, false}, 0);
    trace.enter(outer, 0);
    // Each before anything of the one before was executed.
    for (int i = 0; i < 3; ++i) trace.enter(fault, 0);
    trace.mark({0, 1, false}, 2);
    std::uint64_t sum = 0;
    for (const Segment& segment : trace.segments()) {
        sum += segment.instructions;
        for (const Cell& cell : segment.cells) EXPECT_LE(cell.self, 2U);
    }
    EXPECT_LE(sum, 2U);
}

}  // namespace
}  // namespace nsb::exact
