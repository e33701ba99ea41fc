#include "exact/trace.h"

#include <algorithm>
#include <boost/range/adaptor/reversed.hpp>
#include <tuple>
#include <utility>

namespace nsb::exact {
namespace {

/// THREAD_SIZE of x86-64 (arch/x86/include/asm/page_64_types.h), to which kernel stacks are aligned.
constexpr unsigned kStackBits = 14;

/// A run, but for how often it was, as a number. A block of QEMU's has 512 instructions at the most
/// (TCG_MAX_INSNS).
constexpr unsigned kCountBits = 16, kOwnerBits = 2;

std::uint64_t run_key(const CodeBlock& block, std::uint64_t instructions, Owner owner) {
    return std::uint64_t{block.number} << (kCountBits + kOwnerBits) | instructions << kOwnerBits |
           static_cast<std::uint64_t>(owner);
}

BlockRuns run_of(std::uint64_t key, std::uint64_t times) {
    return {static_cast<std::uint32_t>(key >> (kCountBits + kOwnerBits)),
            static_cast<std::uint32_t>(key >> kOwnerBits & ((1U << kCountBits) - 1)),
            static_cast<Owner>(key & ((1U << kOwnerBits) - 1)), times};
}

}  // namespace

Trace::Trace(Function switch_to, Function kthread, bool keeps_runs)
    : switch_to_(switch_to), kthread_(kthread), keeps_runs_(keeps_runs), task_(&tasks_[0]) {
    for (std::uint32_t owner = 0; owner < kOwners; ++owner)
        nodes_.push_back({owner, kNameless, static_cast<Owner>(owner)});
    places_.resize(nodes_.size());
}

void Trace::enter(const CodeBlock& block, std::uint64_t count) {
    const CodeBlock* const before = std::exchange(previous_, &block);
    const std::uint64_t tried = count - std::exchange(previous_count_, count);
    const bool finished = before != nullptr && tried >= before->instructions;
    const bool failed = block.entry == Entry::fault && tried != 0;
    if (keeps_runs_ && before != nullptr) keep_run(*before, failed ? tried - 1 : tried);
    if (block.entry == Entry::fault || block.entry == Entry::interrupt) {
        interrupt(before, finished, block);
    } else if (block.function == kUser) {
        if (!in_user_) leave_kernel(block);
    } else if (in_user_) {
        account(count);
        in_user_ = false;
        task_->frames.clear();
        push(block, FrameKind::call, 0);
    } else if (finished && before->last != BlockEnd::none) {
        account(count);
        if (before->last == BlockEnd::iret) {
            resume(block);
        } else {
            go_on(*before, block);
        }
    } else if (task_->frames.empty() || task_->frames.back().function != block.function) {
        account(count);
        jump(block);
    }
}

void Trace::mark(const Mark& mark, std::uint64_t count) {
    account(count);
    if (is_recording_) {
        Segment& segment = segments_.emplace_back(Segment{phases_,
                                                          in_turn_,
                                                          turn_,
                                                          std::exchange(lost_, 0),
                                                          accounted_ - segment_begin_,
                                                          std::exchange(cells_, {}),
                                                          {}});
        for (const Cell& one : segment.cells) places_[one.node] = 0;
        for (const auto& [key, times] : runs_) segment.runs.push_back(run_of(key, times));
        std::ranges::sort(segment.runs, {}, [](const BlockRuns& run) {
            return std::tuple(run.block, run.instructions, run.owner);
        });
        runs_.clear();
    }
    is_recording_ = true;
    segment_begin_ = accounted_;
    if (phases_ == 0 && mark.opens != 0) {
        ++window_;
        turn_ = 0;
        opener_ = task_;
    }
    if (task_->forked != window_) task_->has_marked = true;
    phases_ = (phases_ | mark.opens) & ~mark.closes;
    in_turn_ = (mark.in_turn ? in_turn_ | mark.opens : in_turn_) & ~mark.closes;
    if (mark.in_turn) ++turn_;
}

/// Gives what was executed since the last time to where we are.
void Trace::account(std::uint64_t count) {
    const std::uint64_t now = count - failed_;
    // Of a try whose failure was known only when it had been given to somebody, nothing is taken back: the
    // next one makes up for it, be it of the next segment.
    if (static_cast<std::int64_t>(now - accounted_) <= 0) return;
    const std::uint64_t own = now - std::exchange(accounted_, now);
    if (is_recording_) cell(node_here()).self += own;
}

/// Of a block that was left just now, before anything is known of the next one.
void Trace::keep_run(const CodeBlock& block, std::uint64_t instructions) {
    if (!is_recording_ || phases_ == 0 || in_user_ || instructions == 0) return;
    ++runs_[run_key(block, instructions, nodes_[node_here()].owner)];
}

void Trace::push(const CodeBlock& block, FrameKind kind, std::uint64_t returns_to,
                 const CodeBlock* interrupted) {
    if (block.function == kthread_) {  // made meanwhile, and nobody's child
        task_->forked = 0;
        for (Frame& frame : task_->frames) frame.window = 0;
    }
    task_->frames.push_back({block.function, kind, returns_to, interrupted, 0, 0});
    if (is_recording_ && (kind != FrameKind::jump || block.is_first)) ++cell(node_here()).calls;
}

/// From the end of one block to the next, neither of them interrupted.
void Trace::go_on(const CodeBlock& before, const CodeBlock& block) {
    if (before.last == BlockEnd::ret) {
        return_to(block);
    } else if (before.last == BlockEnd::call && block.begin != before.end) {
        push(block, FrameKind::call, before.end);
    } else if (task_->frames.empty() || task_->frames.back().function != block.function) {
        jump(block);
    }
}

/// A jump from one function into another: a tail call, or a part of the function that is elsewhere.
void Trace::jump(const CodeBlock& block) {
    auto& frames = task_->frames;
    for (std::size_t i = frames.size(); i-- > 0;) {
        if (frames[i].function == block.function) {
            frames.resize(i + 1);
            return;
        }
        if (frames[i].kind != FrameKind::jump) break;
    }
    push(block, FrameKind::jump, 0);
}

bool Trace::is_switching() const {
    for (const Frame& frame : boost::adaptors::reverse(task_->frames)) {
        if (frame.function == switch_to_) return true;
        if (frame.kind != FrameKind::jump) return false;
    }
    return false;
}

void Trace::return_to(const CodeBlock& block) {
    if (is_switching()) task_ = &tasks_[slot_ >> kStackBits];
    auto& frames = task_->frames;
    if (block.entry == Entry::fork) {
        frames.clear();
        task_->forked = window_;
        task_->has_marked = false;
        push(block, FrameKind::call, 0);
        return;
    }
    for (std::size_t i = frames.size(); i-- > 0;) {
        if (frames[i].returns_to == block.begin) {
            frames.resize(i);
            if (frames.empty() || frames.back().function != block.function) jump(block);
            return;
        }
    }
    ++lost_;
    if (frames.empty() || frames.back().function != block.function) jump(block);
}

void Trace::interrupt(const CodeBlock* before, bool finished, const CodeBlock& block) {
    const bool is_fault = block.entry == Entry::fault;
    if (in_user_) {
        account(previous_count_);
        task_->frames.clear();
        // Whether it failed in this block or in fetching the next one is seen where it goes on.
        task_->faulted = is_fault ? before : nullptr;
        before = nullptr;
        in_user_ = false;
    } else if (is_fault) {
        ++failed_;
        account(previous_count_);
        before = nullptr;
    } else {
        account(previous_count_);
        if (!finished) before = nullptr;
    }
    push(block, is_fault ? FrameKind::fault : FrameKind::interrupt, 0, before);
}

/// Back from an interrupt into the kernel.
void Trace::resume(const CodeBlock& block) {
    auto& frames = task_->frames;
    while (!frames.empty() && frames.back().kind != FrameKind::interrupt &&
           frames.back().kind != FrameKind::fault)
        frames.pop_back();
    const CodeBlock* before = nullptr;
    if (frames.empty()) {
        ++lost_;
    } else {
        before = frames.back().interrupted;
        frames.pop_back();
    }
    if (before != nullptr && before->last != BlockEnd::iret) {
        go_on(*before, block);
    } else if (frames.empty() || frames.back().function != block.function) {
        jump(block);
    }
}

void Trace::leave_kernel(const CodeBlock& block) {
    account(previous_count_);
    in_user_ = true;
    task_->frames.clear();
    const CodeBlock* const faulted = std::exchange(task_->faulted, nullptr);
    if (faulted != nullptr && block.begin >= faulted->begin && block.begin < faulted->end) ++failed_;
}

Owner Trace::owner() const {
    if (task_ == opener_) return Owner::call;
    if (task_->forked == window_ && window_ != 0) return Owner::child;
    return task_->has_marked ? Owner::call : Owner::other;
}

std::uint32_t Trace::node_here() {
    if (in_user_ || task_->frames.empty())
        return child(static_cast<std::uint32_t>(owner()), in_user_ ? kUser : kNameless);
    return node_of(task_->frames.size() - 1);
}

std::uint32_t Trace::node_of(std::size_t index) {
    Frame& frame = task_->frames[index];
    if (frame.window == window_ && frame.node != 0) return frame.node;
    const Owner own = frame.kind == FrameKind::interrupt ? Owner::interrupt : owner();
    const std::uint32_t parent = frame.kind == FrameKind::interrupt || index == 0
                                     ? static_cast<std::uint32_t>(own)
                                     : node_of(index - 1);
    const std::uint32_t node = child(parent, frame.function);
    frame.window = window_;
    frame.node = node;
    return node;
}

std::uint32_t Trace::child(std::uint32_t parent, Function function) {
    const auto next = static_cast<std::uint32_t>(nodes_.size());
    const auto [at, is_new] = children_.try_emplace(std::uint64_t{parent} << 32U | function, next);
    if (is_new) {
        nodes_.push_back({parent, function, nodes_[parent].owner});
        places_.push_back(0);
    }
    return at->second;
}

Cell& Trace::cell(std::uint32_t node) {
    if (places_[node] == 0) {
        cells_.push_back({node, 0, 0});
        places_[node] = static_cast<std::uint32_t>(cells_.size());
    }
    return cells_[places_[node] - 1];
}

}  // namespace nsb::exact
