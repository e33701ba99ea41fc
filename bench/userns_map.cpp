// userns_map: what a runtime writes so that a new user namespace has ids: setgroups, uid_map, gid_map.
#include <fcntl.h>

#include "holder.h"
#include "mark.h"
#include "sys/id_maps.h"
#include "sys/proc.h"

namespace nsb::bench {
namespace {

constexpr std::size_t kHolderStack = 64U << 10U;
constexpr std::uint32_t kSteps = bits(Phase::setgroups, Phase::uid_map, Phase::gid_map);

}  // namespace

void run_userns_map(Block& block) {
    const auto stack = sys::Stack::map(kHolderStack, false);
    if (!stack) return block.fail({Call::mmap, stack.error()});
    // Found out here, since to ask for each holder's number in /proc would be part of the total.
    const auto ours = sys::proc_is_ours();
    if (!ours && ours.error() != ENOENT) return block.fail({Call::open_map, ours.error()});
    if (!ours || !*ours) return block.fail({Call::open_map, ESRCH});
    const sys::IdMaps maps;
    while (Record* record = block.next()) {
        NSB_MARK(bits(Phase::total), bits(), 1);
        const std::uint64_t call = sys::now();
        auto holder = Holder::start(block.request.set, *stack);
        if (!holder) return block.fail(holder.error());
        for (const sys::IdMaps::Step& step : maps) {
            NSB_MARK_NEXT(kSteps, bits(), 1);
            const std::uint64_t begin = sys::now();
            const Failure failure = sys::write_map(holder->open_proc(step.file, O_WRONLY), step);
            NSB_MARK(bits(), kSteps, 1);
            time_of(*record, step.phase) = sys::now() - begin;
            if (failure.error != 0) return block.fail(failure);
        }
        const Failure failure = holder->release();
        if (failure.error != 0) return block.fail(failure);
        NSB_MARK(bits(), bits(Phase::total), 1);
        time_of(*record, Phase::total) = sys::now() - call;
    }
}

}  // namespace nsb::bench
