// A block: the samples of one case that nsbench asked for in one request.
#pragma once

#include "core/protocol.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/fd.h"

namespace nsb::bench {

using protocol::Call;
using protocol::Failure;
using protocol::Record;
using protocol::SharedMemory;

/// Far from everything else. Among the other mappings the shared memory would leave a gap while it is not
/// mapped, and from 6.1 on (maple tree) a clone copies gaps, too: 1.1 thousand instructions, nearly 1%.
inline constexpr std::uintptr_t kMemoryAt = 1UL << 40U;

/// What a sampler has for itself beside others in one mm; the program's own has nothing to be told.
struct Place {
    std::uint64_t offset = 0;  ///< of its shared memory in the file
    void* scratch = nullptr;   ///< a page to keep times in; null: that of the program
};

class Block {
  public:
    /// `begun`: when it began, which samplers that carry it out at the same time have in common.
    Block(const protocol::Request& asked, SharedMemory& shared, std::uint64_t begun = sys::now(),
          Place its_place = {})
        : request(asked),
          memory(shared),
          place(its_place),
          begun_(begun),
          deadline_(sys::now() + asked.time_limit_ns) {}

    const protocol::Request& request;
    SharedMemory& memory;
    const Place place;

    [[nodiscard]] std::uint64_t value(Parameter parameter) const {
        return request.values[static_cast<std::size_t>(parameter)];
    }

    /// The record to fill next, cleared; null once the block is full, out of time, or has failed. The one
    /// before ends here, with all that was done between the two.
    Record* next();

    /// Whether there is to be another sample beside those filled and `kept`, of which there is no record yet.
    /// Does not touch the shared memory.
    [[nodiscard]] bool wants_more(std::uint32_t kept = 0) const;

    /// The record to fill next, cleared, whatever the time; who calls it says when it ended: since_begun().
    Record& begin();

    /// For Record::ended.
    [[nodiscard]] std::uint64_t since_begun(std::uint64_t moment) const { return moment - begun_; }

    /// Gives the current record an errno instead of times and ends the block: what failed once is a limit
    /// reached or a feature missing, and would fail again.
    void fail(Failure failure);

    /// A child has carried out the block, and filled so many records.
    void take_over(std::uint32_t filled) { filled_ = filled; }

    /// How many records are filled.
    [[nodiscard]] std::uint32_t filled() const { return filled_; }

  private:
    [[nodiscard]] bool is_open(std::uint32_t taken, std::uint64_t moment) const;

    std::uint64_t begun_;
    std::uint64_t deadline_;
    std::uint32_t filled_ = 0;
    bool failed_ = false;
};

inline std::uint64_t& time_of(Record& record, Phase phase) {
    return record.times[static_cast<std::size_t>(phase)];
}

inline std::uint64_t& child_phase(SharedMemory& memory, Phase phase) {
    return memory.child_phases[static_cast<std::size_t>(phase)];
}

/// In a forked child: takes the page fault of the shared memory's first page before anything is timed.
inline void touch(SharedMemory& memory) {
    memory.child_begin = 0;
}

/// Reaps a child. Fails with what the child reported of itself in `memory`, if it can report there, or with
/// Call::child where it ended in another way than by returning 0.
[[nodiscard]] Failure reap_child(pid_t pid, const SharedMemory* memory = nullptr);

/// clone(2) or clone3(2) as this block's set and parameters ask for; descriptors aside.
[[nodiscard]] sys::CloneOptions clone_options(const Block& block);

/// The stack that this block's parameters ask for; on an error the block has failed.
[[nodiscard]] sys::Result<sys::Stack> map_stack(Block& block);

/// An operation carries out samples until the block has enough.
using BlockFunction = void (*)(Block& block);

/// The registry: what carries out `operation`.
[[nodiscard]] BlockFunction find(Operation operation);

/// Maps the memory that is shared with nsbench; null where that fails.
[[nodiscard]] SharedMemory* map_memory();
/// Carries out a block that began at `begun`, or has the failure to begin. How many records are filled.
[[nodiscard]] std::uint32_t carry_out(const protocol::Request& request, SharedMemory& memory,
                                      const tl::expected<std::uint64_t, Failure>& begun, Place place = {});

/// Times the clock and the loop instead of an operation.
void run_calibration(Block& block);

}  // namespace nsb::bench
