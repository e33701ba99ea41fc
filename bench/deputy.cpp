#include "deputy.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "barrier.h"
#include "conditions.h"
#include "privilege.h"
#include "workers.h"

namespace nsb::bench {
namespace {

/// Descriptors that a deputy finds open, beside protocol::kMemory: of the pipe that its request comes by,
/// which is where the sampler has its socket; of the barrier; and of the keeper that is let go before the
/// block.
constexpr int kRequest = protocol::kSocket;
constexpr int kBarrier = 5;
constexpr int kDying = 6;
constexpr int kFirstFree = 7;

/// This program: by /proc where that shows this process, since the file may have been replaced.
sys::Result<sys::Fd> open_own_program() {
    auto program = sys::Fd::own(open("/proc/self/exe", O_PATH | O_CLOEXEC));
    if (program) return program;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): that is how the kernel hands it over
    const auto* const path = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
    return sys::Fd::own(open(path, O_PATH | O_CLOEXEC));
}

/// What the way to the deputy needs of the sampler.
struct Entrance {
    const sys::Fd& program;
    const sys::Fd& request;
    const sys::Fd& barrier;
    const Keeper* dying;
};

/// Each descriptor at its number, and open in the program: first out of the way of each other.
bool place(const Entrance& entrance) {
    const int dying = entrance.dying != nullptr ? entrance.dying->end().get() : -1;
    const int placed[][2] = {
        {entrance.request.get(), kRequest}, {entrance.barrier.get(), kBarrier}, {dying, kDying}};
    int copies[std::size(placed)];
    for (std::size_t i = 0; i < std::size(placed); ++i) {
        copies[i] = placed[i][0] < 0 ? -1 : fcntl(placed[i][0], F_DUPFD_CLOEXEC, kFirstFree);
        if (placed[i][0] >= 0 && copies[i] < 0) return false;
    }
    for (std::size_t i = 0; i < std::size(placed); ++i) {
        if (copies[i] >= 0 && dup2(copies[i], placed[i][1]) < 0) return false;
    }
    return fcntl(protocol::kMemory, F_SETFD, 0) == 0;
}

/// In the child that becomes the deputy.
[[noreturn]] void enter(Setting& here, const Entrance& entrance) {
    here.tie = entrance.request.get();
    die_with_parent(here.tie);
    for (const Condition& condition : kConditionFunctions) {
        if (condition.info.by != MadeBy::entry || !prepare(here, condition)) continue;
        here.memory.child_failure = condition.set_up(here);
        if (here.memory.child_failure.error != 0) _exit(1);
    }
    // Out of the range of numbers that others get.
    const int program = fcntl(entrance.program.get(), F_DUPFD_CLOEXEC, kFirstFree);
    if (program >= 0 && place(entrance)) {
        char name[] = "nsbench-sampler";
        char mode[] = "deputy";
        KeepWord keep;
        char* const arguments[] = {name, mode, keep.get(), nullptr};
        char* const environment[] = {nullptr};
        syscall(SYS_execveat, program, "", arguments, environment, AT_EMPTY_PATH);
    }
    here.memory.child_failure = {Call::exec, errno};
    _exit(1);
}

using Keepers = std::optional<Keeper>[kConditions.size()];

/// Sets up what is kept beside the deputy.
Failure start_keepers(Setting& here, Keepers& keepers) {
    for (std::size_t i = 0; i < kConditions.size(); ++i) {
        const Condition& condition = kConditionFunctions[i];
        const bool is_kept = condition.info.by == MadeBy::kept || condition.info.by == MadeBy::let_go;
        if (!is_kept || !prepare(here, condition)) continue;
        const bool is_of_cgroups = condition.info.parameter == Parameter::cgroups;
        auto keeper = Keeper::start(here, condition.set_up, is_of_cgroups);
        if (!keeper) {
            // Who was killed has removed nothing of what it had made until then.
            if (keeper.error().error == ECHILD && is_of_cgroups) remove_cgroups(here);
            return keeper.error();
        }
        keepers[i].emplace(std::move(*keeper));
    }
    return {};
}

/// Makes the deputy, and waits until it has carried out the block.
Failure play(Setting& here, const sys::Fd& barrier, const Keeper* dying) {
    const auto program = open_own_program();
    if (!program) return {Call::open_program, program.error()};
    auto pipe = sys::Pipe::make();
    if (!pipe) return {Call::sampler, pipe.error()};
    // Before there is a deputy: the pipe has room for it.
    const auto wrote =
        sys::retried([&] { return write(pipe->write_end.get(), &here.request, sizeof here.request); });
    if (wrote != sizeof here.request) return {Call::sampler, wrote < 0 ? errno : EIO};
    const auto pid = sys::plain_fork();
    if (!pid) return {Call::clone, pid.error()};
    if (*pid == 0) {
        pipe->write_end.reset();
        enter(here, {*program, pipe->read_end, barrier, dying});
    }
    pipe->read_end.reset();
    const auto status = sys::reap(*pid);
    if (!status) return {Call::waitpid, status.error()};
    if (here.memory.by_deputy > 0) return {};
    if (here.memory.child_failure.error != 0) return here.memory.child_failure;
    return {Call::sampler, ECHILD};
}

Failure set_up_and_play(Setting& here, const sys::Fd& barrier) {
    Keepers keepers;
    Failure failure = start_keepers(here, keepers);
    const Keeper* dying = nullptr;
    for (std::size_t i = 0; i < kConditions.size(); ++i) {
        if (kConditions[i].by == MadeBy::let_go && keepers[i]) dying = &*keepers[i];
    }
    if (failure.error == 0) failure = play(here, barrier, dying);
    for (std::size_t i = 0; i < kConditions.size(); ++i) {
        if (!keepers[i] || keepers[i]->let_go() || kConditions[i].parameter != Parameter::cgroups) continue;
        (void)prepare(here, kConditionFunctions[i]);
        remove_cgroups(here);
    }
    return failure;
}

}  // namespace

std::uint32_t carry_out_by_deputy(const protocol::Request& request, SharedMemory& memory, sys::Fd& barrier) {
    memory.by_deputy = 0;
    memory.child_failure = {};
    Setting here{request, memory, getpid()};
    // What those that share one mm have taken could not be told from what the deputy has.
    const Failure failure =
        shares_mm(request) ? Failure{Call::workers, EOPNOTSUPP} : set_up_and_play(here, barrier);
    // What RCU frees of the conditions is freed before the next block. Some kernels refuse this (EINVAL with
    // nohz_full).
    (void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
    if (memory.by_deputy == 0) {
        // The others do not wait for one that has failed.
        if (request.at_once > 1 && !shares_mm(request))
            (void)meet(barrier, request.at_once, set_up_limit(request.values));
        return carry_out(request, memory, tl::unexpected(failure));
    }
    barrier.reset();
    return memory.by_deputy;
}

int serve_as_deputy() {
    prctl(PR_SET_NAME, "nsbench-deputy");
    // Where exec has given it more than the sampler has, it is not dumpable (commit_creds() in
    // kernel/cred.c), and what setns enters would be closed to it.
    prctl(PR_SET_DUMPABLE, 1);
    for (const int fd : {kRequest, protocol::kMemory, kBarrier, kDying}) fcntl(fd, F_SETFD, FD_CLOEXEC);
    die_with_parent(kRequest);
    SharedMemory* const memory = map_memory();
    protocol::Request request{};
    const auto got = sys::retried([&] { return read(kRequest, &request, sizeof request); });
    if (memory == nullptr || got != sizeof request) return 1;
    Setting here{request, *memory, 0, kRequest};
    for (const Condition& condition : kConditionFunctions) {
        if (condition.info.by != MadeBy::own || !prepare(here, condition)) continue;
        memory->child_failure = here.failed(ECHILD);
        memory->child_failure = condition.set_up(here);
        if (memory->child_failure.error != 0) return 1;
    }
    // Before the block begins: what it takes to close them all is no part of it.
    if (sys::Fd dying(request.values[static_cast<std::size_t>(Parameter::dying)] > 0 ? kDying : -1); dying)
        let_go_by(dying);
    sys::Fd barrier(request.at_once > 1 ? kBarrier : -1);
    memory->by_deputy = carry_out_with_others(request, *memory, barrier, set_up_limit(request.values));
    return 0;
}

}  // namespace nsb::bench
