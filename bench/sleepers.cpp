// Processes that sleep until their keeper lets them go, or is no more. They share the keeper's memory: a
// sleeper is a task, a kernel stack and a table of descriptors.
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <atomic>
#include <csignal>

#include "conditions.h"

namespace nsb::bench {
namespace {

/// Of which one page is touched.
constexpr std::size_t kStack = 8192;

struct Sleep {
    int read_end, write_end, let_go;
    std::atomic<std::uint64_t> asleep;
};

/// Calls nothing that fails: errno is the keeper's.
int sleep_until_let_go(void* argument) {
    Sleep& sleep = *static_cast<Sleep*>(argument);
    // Its own copies: the pipe is to end with the keeper's.
    close(sleep.write_end);
    close(sleep.let_go);
    ++sleep.asleep;
    char none = 0;
    (void)sys::retried([&] { return read(sleep.read_end, &none, 1); });
    return 0;
}

void reap_all() {
    while (sys::retried([] { return waitpid(-1, nullptr, 0); }) > 0) {
    }
}

}  // namespace

Failure keep_sleepers(Setting& here, int flags) {
    auto pipe = sys::Pipe::make();
    if (!pipe) return here.failed(pipe.error());
    const std::size_t bytes = here.value * kStack;
    void* const stacks = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stacks == MAP_FAILED) return here.failed();
    static Sleep sleep;
    sleep.read_end = pipe->read_end.get();
    sleep.write_end = pipe->write_end.get();
    sleep.let_go = here.let_go;
    std::uint64_t made = 0;
    Failure failure;
    for (; made < here.value && failure.error == 0; ++made) {
        char* const top = static_cast<char*>(stacks) + (made + 1) * kStack;
        const auto sleeper = [&] {
            return clone(sleep_until_let_go, top, CLONE_VM | SIGCHLD | flags, &sleep);
        };
        if (make_namespace(sleeper) < 0) failure = here.failed();
    }
    if (failure.error == 0) {
        // On one CPU with the sampler: who is not asleep yet would run within the block.
        while (sleep.asleep < made) sched_yield();
        hold(here);
    }
    pipe->write_end.reset();
    reap_all();
    return failure;
}

}  // namespace nsb::bench
