#include "block.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

namespace nsb::bench {

bool Block::is_open(std::uint32_t taken, std::uint64_t moment) const {
    if (failed_ || taken == request.samples) return false;
    return taken == 0 || moment < deadline_;
}

bool Block::wants_more(std::uint32_t kept) const {
    return is_open(filled_ + kept, sys::now());
}

Record* Block::next() {
    const std::uint64_t moment = sys::now();
    if (filled_ > 0) memory.records[filled_ - 1].ended = since_begun(moment);
    return is_open(filled_, moment) ? &begin() : nullptr;
}

Record& Block::begin() {
    Record& record = memory.records[filled_++];
    record = {};
    memory.child_begin = memory.child_end = 0;
    memory.child_failure = {};
    return record;
}

void Block::fail(Failure failure) {
    // A block that could not even begin its first sample has one all the same, to carry the errno.
    if (filled_ == 0) filled_ = 1;
    memory.records[filled_ - 1] = {};
    memory.records[filled_ - 1].failure = failure;
    failed_ = true;
}

Failure reap_child(pid_t pid, const SharedMemory* memory) {
    const sys::Result<int> status = sys::reap(pid);
    if (!status) return {Call::waitpid, status.error()};
    if (memory != nullptr && memory->child_failure.error != 0) return memory->child_failure;
    if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0) return {Call::child, ECHILD};
    return {};
}

sys::CloneOptions clone_options(const Block& block) {
    sys::CloneOptions options;
    options.flags = block.request.set.flags();
    // The one call that has a flag for time namespaces.
    options.use_clone3 =
        block.request.operation == Operation::clone3 || block.request.set.contains(Kind::time);
    if (block.value(Parameter::spawn) == static_cast<std::uint64_t>(Spawn::vm)) {
        options.flags |= CLONE_VM | CLONE_VFORK;
    }
    return options;
}

sys::Result<sys::Stack> map_stack(Block& block) {
    auto stack = sys::Stack::map(block.value(Parameter::stack), block.value(Parameter::touch) != 0);
    if (!stack) block.fail({Call::mmap, stack.error()});
    return stack;
}

std::uint32_t carry_out(const protocol::Request& request, SharedMemory& memory,
                        const tl::expected<std::uint64_t, Failure>& begun, Place place) {
    Block block(request, memory, begun.value_or(0), place);
    if (!begun) {
        block.fail(begun.error());
    } else if (!info(request.operation).takes(request.set)) {
        // A proc mount outside a new mount namespace, say, would be the host's: refused here as well.
        block.fail({Call::sampler, EINVAL});
    } else {
        (request.calibrate ? run_calibration : find(request.operation))(block);
    }
    return block.filled();
}

SharedMemory* map_memory() {
    void* const mapping =
        // NOLINTNEXTLINE(performance-no-int-to-ptr): a place that is asked for
        mmap(reinterpret_cast<void*>(kMemoryAt), sizeof(SharedMemory), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED_NOREPLACE, protocol::kMemory, 0);
    return mapping == MAP_FAILED ? nullptr : static_cast<SharedMemory*>(mapping);
}

void run_calibration(Block& block) {
    std::uint64_t last_turn = 0;
    while (Record* record = block.next()) {
        const std::uint64_t begin = sys::now();
        const std::uint64_t end = sys::now();
        time_of(*record, Phase::create) = end - begin;
        // One turn of the loop with the clock read twice in it; the first turn has none before it.
        time_of(*record, Phase::total) = last_turn == 0 ? 0 : begin - last_turn;
        // A system call that does nothing, through functions that the probe traces: what the probe costs it
        // is the probe's.
        const std::uint64_t call = sys::now();
        if (unshare(0) != 0) return block.fail({Call::unshare, errno});
        last_turn = sys::now();
        time_of(*record, Phase::switch_) = last_turn - call;
    }
}

}  // namespace nsb::bench
