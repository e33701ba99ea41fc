// clone and clone3: one call that makes a child and its namespaces at once.
#include <sys/mman.h>

#include <span>

#include "block.h"
#include "mark.h"
#include "sys/cgroup.h"
#include "sys/stamp.h"

namespace nsb::bench {
namespace {

int mark_and_exit(void* stamp) {
    NSB_MARK(bits(Phase::exit), bits(Phase::ready), 1);
    static_cast<const sys::Stamp*>(stamp)->mark();
    return 0;
}

/// While it lives, the memory shared with nsbench is not mapped: fork copies every mapping, and what is timed
/// is the clone of a process without it. Not for each sample: unmapping leaves caches and page tables cold,
/// and create of none took 8% longer.
class Unmapped {
  public:
    explicit Unmapped(const Block& block)
        : at_(&block.memory), offset_(static_cast<off_t>(block.place.offset)) {
        munmap(at_, sizeof(SharedMemory));
    }
    ~Unmapped() {
        if (mmap(at_, sizeof(SharedMemory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, protocol::kMemory,
                 offset_) == MAP_FAILED) {
            _exit(1);
        }
    }
    Unmapped(const Unmapped&) = delete;
    Unmapped& operator=(const Unmapped&) = delete;
    Unmapped(Unmapped&&) = delete;
    Unmapped& operator=(Unmapped&&) = delete;

  private:
    void* at_;
    off_t offset_;
};

/// One clone of a child that marks its first moment, and its reaping.
struct Cloned {
    sys::Result<pid_t> pid;
    Failure failure;
    sys::Moment call, reaped;
    std::uint64_t returned;
};

/// Between the call and its return nothing is stored: the first store to a page after a fork is a fault that
/// copies it.
[[gnu::noinline]] Cloned clone_and_reap(const sys::CloneOptions& options, const sys::Stack& stack,
                                        sys::Stamp& stamp) {
    NSB_MARK(bits(Phase::create, Phase::ready, Phase::total), bits(), 2);
    const sys::Moment call = sys::Moment::before();
    const auto pid = sys::clone_child(options, stack, mark_and_exit, &stamp);
    NSB_MARK(bits(), bits(Phase::create), 1);
    const std::uint64_t returned = sys::now();
    const Failure failure = pid ? reap_child(*pid) : Failure{};
    NSB_MARK(bits(), bits(Phase::exit, Phase::total), 1);
    const sys::Moment reaped = sys::Moment::after();
    return {pid, failure, call, reaped, returned};
}

struct Times {
    std::uint64_t create, ready, exit, total, reaped;
};

/// Times are kept here while the shared memory is not mapped: within one page, since a clone copies each page
/// that was written to.
constexpr std::uint32_t kKept = 64;
alignas(kPage) Times kept_here[kKept];
static_assert(sizeof kept_here <= kPage);

Failure keep(const Cloned& one, const sys::Stamp& stamp, Call call, Times& times) {
    if (!one.pid) return {call, one.pid.error()};
    if (one.failure.error != 0) return one.failure;
    const std::uint64_t mark = stamp.take();
    if (mark == 0) return {Call::eventfd, EIO};
    const auto child = sys::time_between(one.call, one.reaped, mark);
    if (!child) return {Call::child, ERANGE};
    times = {one.returned - one.call.ns, *child - one.call.ns, one.reaped.ns - *child,
             one.reaped.ns - one.call.ns, one.reaped.ns};
    return {};
}

void run(Block& block) {
    sys::CloneOptions options = clone_options(block);
    const auto stack = map_stack(block);
    if (!stack) return;
    auto stamp = sys::Stamp::make();
    if (!stamp) return block.fail({Call::eventfd, stamp.error()});

    sys::Fd root_cgroup;
    if (block.value(Parameter::cgroup) != 0) {
        // The root of cgroup v2: without a new cgroup, which would have to be removed.
        auto root = sys::open_cgroup2();
        if (!root) return block.fail(root.error());
        root_cgroup = std::move(*root);
        options.cgroup = root_cgroup.get();
    }
    // Of whom shares this memory with others it is another page.
    auto* const kept = block.place.scratch == nullptr ? kept_here : static_cast<Times*>(block.place.scratch);
    int pidfd = -1;
    if (block.value(Parameter::pidfd) != 0) options.pidfd = &pidfd;

    Failure failure;
    while (failure.error == 0 && block.wants_more()) {
        std::uint32_t taken = 0;
        {
            const Unmapped during(block);
            while (taken < kKept && block.wants_more(taken)) {
                const Cloned one = clone_and_reap(options, *stack, *stamp);
                const sys::Fd owned_pidfd(pidfd);
                failure = keep(one, *stamp, options.use_clone3 ? Call::clone3 : Call::clone, kept[taken]);
                if (failure.error != 0) break;
                ++taken;
            }
        }
        for (const Times& times : std::span(kept, taken)) {
            Record& record = block.begin();
            time_of(record, Phase::create) = times.create;
            time_of(record, Phase::ready) = times.ready;
            time_of(record, Phase::exit) = times.exit;
            time_of(record, Phase::total) = times.total;
            record.ended = block.since_begun(times.reaped);
        }
    }
    if (failure.error != 0) {
        block.begin();
        block.fail(failure);
    }
}

}  // namespace

// Which of the two calls it is, clone_options() knows.
void run_clone(Block& block) {
    run(block);
}

void run_clone3(Block& block) {
    run(block);
}

}  // namespace nsb::bench
