#include "sys/child.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <csignal>

#ifndef __x86_64__
#error "clone3 with a stack of its own needs a trampoline, and this one is written for x86-64"
#endif

// glibc 2.36 exports no clone3: a child on a new stack cannot return through its parent's frame, so the call
// and the child's first step are one piece of assembly. Arguments: clone_args, size, child, argument. Returns
// -errno.
extern "C" long nsb_clone3(clone_args* args, std::size_t size, nsb::sys::ChildMain child, void* argument);
asm(R"(
    .text
    .globl nsb_clone3
    .type nsb_clone3, @function
nsb_clone3:
    mov %rdx, %r8          # syscall keeps r8 and r9, and takes rcx and r11
    mov %rcx, %r9
    mov $435, %eax         # __NR_clone3
    syscall
    test %rax, %rax
    jnz 1f
    xor %ebp, %ebp         # the child: the outermost frame
    and $-16, %rsp
    mov %r9, %rdi
    call *%r8
    mov %eax, %edi
    mov $60, %eax          # __NR_exit
    syscall
    hlt
1:  ret
    .size nsb_clone3, . - nsb_clone3
)");

namespace nsb::sys {
namespace {

constexpr std::size_t kGuard = 4096;

}  // namespace

Result<Stack> Stack::map(std::size_t bytes, bool prefault) {
    void* const mapping =
        mmap(nullptr, bytes + kGuard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED) return tl::unexpected(errno);
    Stack stack(mapping, bytes);
    // A hole, not a page without permissions: that would be a mapping of its own, which every fork copies.
    if (munmap(mapping, kGuard) != 0) return tl::unexpected(errno);
    if (prefault) {
        auto* const pages = static_cast<volatile char*>(stack.base());
        for (std::size_t i = 0; i < bytes; i += kGuard) pages[i] = 1;
    }
    return stack;
}

Stack::~Stack() {
    if (mapping_ != nullptr) munmap(base(), bytes_);
}

void* Stack::base() const {
    return static_cast<char*>(mapping_) + kGuard;
}

void* Stack::top() const {
    return static_cast<char*>(base()) + bytes_;
}

Result<pid_t> clone_child(const CloneOptions& options, const Stack& stack, ChildMain child, void* argument) {
    if (!options.use_clone3) {
        if ((options.flags & CSIGNAL) != 0) return tl::unexpected(EINVAL);
        return checked(::clone(child, stack.top(), static_cast<int>(options.flags | SIGCHLD), argument));
    }
    clone_args args{};
    args.flags = options.flags;
    args.exit_signal = SIGCHLD;
    args.stack = reinterpret_cast<std::uintptr_t>(stack.base());
    args.stack_size = stack.size();
    if (options.pidfd != nullptr) {
        args.flags |= CLONE_PIDFD;
        args.pidfd = reinterpret_cast<std::uintptr_t>(options.pidfd);
    }
    if (options.cgroup >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<std::uint64_t>(options.cgroup);
    }
    const long pid = nsb_clone3(&args, sizeof args, child, argument);
    if (pid < 0) return tl::unexpected(static_cast<int>(-pid));
    return static_cast<pid_t>(pid);
}

Result<pid_t> plain_fork() {
    return checked(static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, 0)));
}

Result<int> reap(pid_t pid) {
    int status = 0;
    if (retried([&] { return waitpid(pid, &status, 0); }) < 0) return tl::unexpected(errno);
    return status;
}

}  // namespace nsb::sys
