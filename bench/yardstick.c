/* The harness's yardstick: clone, waitpid and the clock around them, with nothing else in the process. What
 * nsbench says of create and total has to agree with it. Built static, like the sampler.
 *
 *   nsbench-yardstick FLAGS COUNT [BLOCKS [PAUSE]]
 *
 * FLAGS in hexadecimal, as of CLONE_NEW*. Prints "create total" in ns, one a line: COUNT samples, or BLOCKS
 * times so many, with a pause before each block: of PAUSE µs, or until the timer's tick after the next.
 *
 * clone has no flag for time namespaces (its bit, 0x80, is part of the signal's number): with it the call is
 * clone3, and the child goes on where its parent is, on its copy of the parent's stack.
 */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { STACK = 1 << 20, MOST = 4096, PAUSE_MS = 100, TICK_US = 300 };
static long long times[MOST][2];

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* Each block begins as far behind a tick of the timer as one of nsbench's: a tick between two samples lets
 * RCU free what the first left behind, and with all kinds the second then takes 1.5% more, for other slabs.
 */
static void pause_until_tick(void) {
    const long long periods = now() / (PAUSE_MS * 1000000LL) + 2;
    const struct timespec until = {periods * PAUSE_MS / 1000,
                                   periods * PAUSE_MS % 1000 * 1000000 + TICK_US * 1000L};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void pause_before_block(int blocks, long pause_us) {
    if (pause_us >= 0)
        usleep((useconds_t)pause_us);
    else if (blocks > 1)
        pause_until_tick();
}

static int child(void* unused) {
    (void)unused;
    return 0;
}

static pid_t make_child(int flags, char* stack) {
    if (!(flags & CLONE_NEWTIME)) return clone(child, stack + STACK, flags | SIGCHLD, NULL);
    struct clone_args args = {.flags = (unsigned)flags, .exit_signal = SIGCHLD};
    const long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) _exit(0);
    return (pid_t)pid;
}

int main(int argc, char** argv) {
    const int flags = argc > 2 ? (int)strtol(argv[1], NULL, 16) : 0;
    const int count = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;
    const int blocks = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 1;
    const long pause_us = argc > 4 ? strtol(argv[4], NULL, 10) : -1;
    char* stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (argc > 5 || count < 1 || blocks < 1 || count > MOST / blocks || stack == MAP_FAILED) {
        fprintf(stderr,
                "usage: nsbench-yardstick FLAGS COUNT [BLOCKS [PAUSE]]\n"
                "FLAGS in hexadecimal, at most %d samples, PAUSE in µs\n",
                MOST);
        return 2;
    }
    for (int i = 0; i < count * blocks; i++) {
        if (i % count == 0) pause_before_block(blocks, pause_us);
        const long long call = now();
        const pid_t pid = make_child(flags, stack);
        const long long returned = now();
        if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
            perror("nsbench-yardstick: clone, waitpid");
            return 1;
        }
        times[i][0] = returned - call;
        times[i][1] = now() - call;
    }
    for (int i = 0; i < count * blocks; i++) printf("%lld %lld\n", times[i][0], times[i][1]);
    return 0;
}
