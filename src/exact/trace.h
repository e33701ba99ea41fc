// The tree of calls, followed from one code block to the next.
//
// Each instruction belongs to one node of the tree, and each node has its own instructions alone: a
// function's total is its own and those of the nodes below, so that all sums agree whatever happens. What a
// node is below is found by following calls, returns, jumps between functions, interrupts and switches of
// tasks.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "exact/symbols.h"

namespace nsb::exact {

/// How a code block's last instruction goes on.
enum class BlockEnd : std::uint8_t { none, call, ret, iret };

/// What it means that a code block is entered.
enum class Entry : std::uint8_t {
    none,
    fault,      // an exception, after which the instruction that failed is tried again
    interrupt,  // whatever comes between two instructions
    fork        // a task's first
};

/// Instructions that are executed one after the other, of one function.
struct CodeBlock {
    std::uint64_t begin, end;  // addresses; a call returns to the end
    std::uint32_t instructions;
    Function function;
    BlockEnd last;
    Entry entry;
    bool is_first;  // it begins where its function does
    std::uint32_t number = 0;
};

/// Whose instructions: the first level of the tree.
enum class Owner : std::uint8_t {
    call,       // of the tasks that make the call
    child,      // of tasks that were made meanwhile
    other,      // of tasks that have nothing to do with it
    interrupt,  // of interrupts, and of what is done on their way back
};
inline constexpr std::uint32_t kOwners = 4;

/// A function called along one path. The first nodes are the owners'.
struct TraceNode {
    std::uint32_t parent;
    Function function;
    Owner owner;
};

struct Cell {
    std::uint32_t node;
    std::uint32_t calls;
    std::uint64_t self;  // instructions
};

/// How often the first `instructions` of a code block were executed: all of them, unless something came
/// between.
struct BlockRuns {
    std::uint32_t block;  // its number
    std::uint32_t instructions;
    Owner owner;
    std::uint64_t times;
};

/// The phases that begin and end at a mark. `in_turn`: of those that begin, only the next one does, and the
/// one before ends; which of them a case has, who reads the segments knows.
struct Mark {
    std::uint32_t opens = 0, closes = 0;
    bool in_turn = false;
};

/// What was executed between two marks, while the phases in `phases` were open, and the `turn`th of those in
/// `in_turn`.
struct Segment {
    std::uint32_t phases, in_turn, turn;
    std::uint32_t lost;  // returns to where no call is known
    std::uint64_t instructions;
    std::vector<Cell> cells;
    std::vector<BlockRuns> runs;  // of the kernel's blocks, where they are asked for and a phase is open
};

class Trace {
  public:
    /// In the return of `switch_to` another task goes on; one that calls `kthread` first is the kernel's.
    /// With `keeps_runs` segments say which blocks were executed, too.
    Trace(Function switch_to, Function kthread, bool keeps_runs = false);

    /// `block` comes next; `count` instructions were tried before it.
    void enter(const CodeBlock& block, std::uint64_t count);

    /// The address on the stack from which the last block's return read.
    void returns_from(std::uint64_t address) { slot_ = address; }

    /// From here on other phases are open.
    void mark(const Mark& mark, std::uint64_t count);

    /// Closes the last segment.
    void end(std::uint64_t count) { mark({}, count); }

    [[nodiscard]] std::span<const TraceNode> nodes() const { return nodes_; }
    [[nodiscard]] std::span<const Segment> segments() const { return segments_; }

  private:
    enum class FrameKind : std::uint8_t { call, jump, interrupt, fault };

    struct Frame {
        Function function;
        FrameKind kind;
        std::uint64_t returns_to;
        const CodeBlock* interrupted;  // which had come to its end; null if it had not
        std::uint32_t window;          // in which `node` is right
        std::uint32_t node;
    };

    struct Task {
        std::vector<Frame> frames;
        const CodeBlock* faulted = nullptr;  // in user mode, perhaps on its last instruction
        std::uint32_t forked = 0;            // the window in which it began
        bool has_marked = false;
    };

    void account(std::uint64_t count);
    void keep_run(const CodeBlock& block, std::uint64_t instructions);
    void push(const CodeBlock& block, FrameKind kind, std::uint64_t returns_to,
              const CodeBlock* interrupted = nullptr);
    void go_on(const CodeBlock& before, const CodeBlock& block);
    void jump(const CodeBlock& block);
    void return_to(const CodeBlock& block);
    void interrupt(const CodeBlock* before, bool finished, const CodeBlock& block);
    void resume(const CodeBlock& block);
    void leave_kernel(const CodeBlock& block);
    [[nodiscard]] bool is_switching() const;
    [[nodiscard]] Owner owner() const;
    std::uint32_t node_here();
    std::uint32_t node_of(std::size_t index);
    std::uint32_t child(std::uint32_t parent, Function function);
    Cell& cell(std::uint32_t node);

    Function switch_to_, kthread_;
    bool keeps_runs_;
    std::unordered_map<std::uint64_t, Task> tasks_;  // by their kernel stacks
    Task* task_;
    const Task* opener_ = nullptr;
    bool in_user_ = true;
    const CodeBlock* previous_ = nullptr;
    std::uint64_t previous_count_ = 0;
    std::uint64_t failed_ = 0;  // tries that were repeated
    std::uint64_t accounted_ = 0;
    std::uint64_t slot_ = 0;

    bool is_recording_ = false;
    std::uint32_t phases_ = 0;
    std::uint32_t in_turn_ = 0, turn_ = 0;
    std::uint32_t window_ = 0;
    std::uint32_t lost_ = 0;
    std::uint64_t segment_begin_ = 0;
    std::vector<TraceNode> nodes_;
    std::unordered_map<std::uint64_t, std::uint32_t> children_;
    std::vector<Cell> cells_;                                // of the segment
    std::vector<std::uint32_t> places_;                      // in cells_, by node, plus one
    std::unordered_map<std::uint64_t, std::uint64_t> runs_;  // of the segment: how often, by run_key()
    std::vector<Segment> segments_;
};

}  // namespace nsb::exact
