#include "workers.h"

#include <elf.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <optional>

#include "barrier.h"

// Of the linker: this program's first byte.
extern "C" const Elf64_Ehdr __ehdr_start;  // NOLINT(bugprone-reserved-identifier): its name for it

namespace nsb::bench {
namespace {

using protocol::Barrier;
using protocol::Usage;

/// Of each worker, with its thread-local variables at the top.
constexpr std::size_t kStack = 256U << 10U;
/// What the C library keeps of a thread (struct pthread: 2304 bytes in glibc 2.36), with room to spare.
constexpr std::size_t kOfThread = kPage;

Usage of_workers{};

Usage usage_of(std::initializer_list<int> whom) {
    Usage used{};
    for (const int whose : whom) {
        rusage one{};
        if (getrusage(whose, &one) != 0) continue;
        for (const timeval& time : {one.ru_utime, one.ru_stime})
            used.ran_us += static_cast<std::uint64_t>(time.tv_sec * 1'000'000 + time.tv_usec);
        used.preempted += static_cast<std::uint64_t>(one.ru_nivcsw);
    }
    return used;
}

/// What FS points into: a thread's variables lie below it (x86-64's variant II), what the C library keeps of
/// the thread above. errno is among the former, so no two workers may have the same.
struct ThreadArea {
    char* fs;
    std::size_t below, above, alignment;
};

/// This one's; nothing where it is not at the heap's begin, to which a static glibc's start puts it.
std::optional<ThreadArea> own_area() {
    ThreadArea area{nullptr, 0, 0, 64};
    asm("mov %%fs:0, %0" : "=r"(area.fs));
    const auto* const image = reinterpret_cast<const char*>(&__ehdr_start);
    const auto* const headers = reinterpret_cast<const Elf64_Phdr*>(image + __ehdr_start.e_phoff);
    for (int i = 0; i < __ehdr_start.e_phnum; ++i) {
        if (headers[i].p_type != PT_TLS) continue;
        area.alignment = std::max<std::size_t>(area.alignment, headers[i].p_align);
        area.below = (headers[i].p_memsz + headers[i].p_align - 1) / headers[i].p_align * headers[i].p_align;
    }
    const auto* const heap_end = static_cast<const char*>(sbrk(0));
    if (area.fs >= heap_end || heap_end - area.fs > (1 << 20)) return std::nullopt;
    area.above = std::min<std::size_t>(kOfThread, static_cast<std::size_t>(heap_end - area.fs));
    return area;
}

/// A copy of it at the top of a stack: where FS points into it, and the top of what is left of the stack.
struct CopiedArea {
    char* fs;
    void* top;
};

CopiedArea copy_area(const ThreadArea& area, const sys::Stack& stack) {
    auto* fs = static_cast<char*>(stack.top()) - kOfThread;
    fs -= reinterpret_cast<std::uintptr_t>(fs) % area.alignment;
    std::memcpy(fs - area.below, area.fs - area.below, area.below + area.above);
    // Both the ABI and glibc's THREAD_SELF find the thread by an address of itself (tcbhead_t: tcb, self).
    const auto address = reinterpret_cast<std::uintptr_t>(fs);
    std::memcpy(fs, &address, sizeof address);
    std::memcpy(fs + 16, &address, sizeof address);
    char* const top = fs - area.below;
    return {fs, top - reinterpret_cast<std::uintptr_t>(top) % 16};
}

/// What the workers of a block have in common, on the stack of the one that made them.
struct Common {
    const protocol::Request& request;
    pid_t maker;
    Barrier barrier{};
};

/// The window of the shared file of a worker, mapped while it lives.
class Window {
  public:
    static sys::Result<Window> map(std::size_t number) {
        // NOLINTNEXTLINE(performance-no-int-to-ptr): a place of its own
        void* const at = reinterpret_cast<void*>(kMemoryAt + number * protocol::kWindow);
        const auto offset = static_cast<off_t>(number * protocol::kWindow);
        void* const mapping = mmap(at, sizeof(SharedMemory), PROT_READ | PROT_WRITE,
                                   MAP_SHARED | MAP_FIXED_NOREPLACE, protocol::kMemory, offset);
        if (mapping == MAP_FAILED) return tl::unexpected(errno);
        return Window(mapping);
    }
    Window(Window&& other) noexcept : mapping_(std::exchange(other.mapping_, nullptr)) {}
    Window& operator=(Window&&) = delete;
    ~Window() {
        if (mapping_ != nullptr) munmap(mapping_, sizeof(SharedMemory));
    }
    [[nodiscard]] SharedMemory& memory() const { return *static_cast<SharedMemory*>(mapping_); }

  private:
    explicit Window(void* mapping) : mapping_(mapping) {}
    void* mapping_;
};

/// A sampler that shares its maker's mm, and nothing else: descriptors stay its own, since a pipe's end that
/// all children of all workers have a copy of would never be closed.
class Worker {
  public:
    Worker(Common& common, std::size_t number, Window window, sys::Stack stack)
        : common_(common),
          offset_(number * protocol::kWindow),
          window_(std::move(window)),
          stack_(std::move(stack)) {}
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    Worker(Worker&&) = delete;
    Worker& operator=(Worker&&) = delete;
    ~Worker() {
        if (pid_ > 0) (void)end();
    }

    /// Only where it does not move any more: it knows itself by its address.
    [[nodiscard]] Failure start(const ThreadArea& area) {
        const CopiedArea own = copy_area(area, stack_);
        const auto pid = sys::checked(
            ::clone(work, own.top, CLONE_VM | CLONE_SETTLS | SIGCHLD, this, nullptr, own.fs, nullptr));
        if (!pid) return {Call::clone, pid.error()};
        pid_ = *pid;
        return {};
    }

    /// Waits for its end, and puts a failure in its first record where it came too early.
    void join() {
        const Failure failure = reap_child(std::exchange(pid_, -1));
        SharedMemory& memory = window_.memory();
        if (failure.error != 0) {
            memory.records[0] = {};
            memory.records[0].failure = {Call::sampler, ECHILD};
            memory.worker.samples = 1;
        }
        of_workers.ran_us += memory.worker.used.ran_us;
        of_workers.preempted += memory.worker.used.preempted;
    }

  private:
    static int work(void* argument) {
        const auto& own = *static_cast<const Worker*>(argument);
        Common& common = own.common_;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != common.maker) return 1;
        SharedMemory& memory = own.window_.memory();
        if (!pin(memory.worker.cpu)) return 1;
        const auto begun = meet(common.barrier, common.request.at_once);
        // At the other end of the stack, which it does not come near to.
        memory.worker.samples = carry_out(common.request, memory, begun, {own.offset_, own.stack_.base()});
        memory.worker.used = usage_of({RUSAGE_SELF, RUSAGE_CHILDREN});
        return 0;
    }

    [[nodiscard]] static bool pin(int cpu) {
        if (cpu < 0) return true;
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(static_cast<std::size_t>(cpu), &set);
        return sched_setaffinity(0, sizeof set, &set) == 0;
    }

    [[nodiscard]] sys::Result<int> end() {
        kill(pid_, SIGKILL);
        return sys::reap(std::exchange(pid_, -1));
    }

    Common& common_;
    std::uint64_t offset_;
    Window window_;
    sys::Stack stack_;
    pid_t pid_ = -1;
};

using AllWorkers = std::array<std::optional<Worker>, kMaxParallel>;

/// All but the first one, which is the caller. On a failure those that were begun end with `workers`.
Failure start_all(Common& common, AllWorkers& workers) {
    const auto area = own_area();
    if (!area) return {Call::sampler, ENOTSUP};
    for (std::size_t i = 1; i < common.request.at_once; ++i) {
        auto window = Window::map(i);
        if (!window) return {Call::mmap, window.error()};
        auto stack = sys::Stack::map(kStack, false);
        if (!stack) return {Call::mmap, stack.error()};
        workers[i].emplace(common, i, std::move(*window), std::move(*stack));
        if (const Failure failure = workers[i]->start(*area); failure.error != 0) return failure;
    }
    return {};
}

}  // namespace

bool shares_mm(const protocol::Request& request) {
    return request.values[static_cast<std::size_t>(Parameter::workers)] ==
           static_cast<std::uint64_t>(Workers::threads);
}

std::uint32_t carry_out_together(const protocol::Request& request, SharedMemory& memory) {
    Common common{request, getpid()};
    AllWorkers workers;
    if (const Failure failure = start_all(common, workers); failure.error != 0) {
        Block block(request, memory);
        block.fail(failure);
        return block.filled();
    }
    const std::uint32_t filled = carry_out(request, memory, meet(common.barrier, request.at_once));
    for (auto& worker : workers) {
        if (worker) worker->join();
    }
    return filled;
}

Usage usage() {
    Usage used = usage_of({RUSAGE_SELF, RUSAGE_CHILDREN});
    used.ran_us -= std::min(used.ran_us, of_workers.ran_us);
    used.preempted -= std::min(used.preempted, of_workers.preempted);
    return used;
}

}  // namespace nsb::bench
