// The program inside a container. Two are built from this: `program` says when its first instruction ran and
// exits; the namespace reporter, `reporter` (NSB_REPORTER), says which namespaces it is in. Without a C
// library, so that what exec(2) loads is one page and the figures are not a library's.
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>

static long call(long number, long a, long b, long c, long d, long e) {
    long result = number;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

__attribute__((force_align_arg_pointer)) void _start(void) {
#ifdef NSB_REPORTER
    // The inodes of its namespaces, in the order of nsb::Kind; 0 for one that the kernel does not have.
    static const char* const links[] = {"/proc/self/ns/cgroup", "/proc/self/ns/ipc", "/proc/self/ns/net",
                                        "/proc/self/ns/mnt",    "/proc/self/ns/pid", "/proc/self/ns/time",
                                        "/proc/self/ns/user",   "/proc/self/ns/uts"};
    unsigned long inodes[8];
    for (int i = 0; i < 8; ++i) {
        struct statx s = {0};
        call(SYS_statx, AT_FDCWD, (long)links[i], 0, STATX_INO, (long)&s);
        inodes[i] = s.stx_ino;
    }
    call(SYS_write, 1, (long)inodes, sizeof inodes, 0, 0);
#else
    const unsigned long tsc = __builtin_ia32_rdtsc();
    call(SYS_write, 1, (long)&tsc, sizeof tsc, 0, 0);
#endif
    call(SYS_exit_group, 0, 0, 0, 0, 0);
}
