// Loaded into QEMU (LD_PRELOAD) by the lab, so that its emulated machine repeats to the bit on a busy host,
// too.
//
// Under -icount sleep=off QEMU's main thread moves the virtual clock on when the CPU idles. In QEMU 7.2 it
// may do so a moment too early: the CPU counts as idle as soon as it has executed its last instruction
// (helper_hlt), and only afterwards are the instructions of that turn added to the clock
// (icount_process_data). A main thread that wakes up in between adds the whole way to the next timer to a
// clock that lags, and the guest sleeps a little too long. On a host with more QEMUs than CPUs that was seen
// in 3 of 100 copies of clone/NEWNET.
//
// Here the main thread goes on from waiting for events only when the CPU's thread waits, too, which it does
// when the guest idles or is stopped; or after a second, so that a guest that never idles can be ended.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const struct timespec kLongest = {1, 0};

/// The lock of all that is emulated: what the main thread waited with for the CPU's thread to be there, and
/// then the CPU's thread.
static _Atomic(pthread_mutex_t*) lock;
/// What the CPU's thread waits for; null until it has.
static _Atomic(pthread_cond_t*) condition_of_cpu;
/// Whether it waits, and nobody has told it to go on; a futex.
static atomic_int is_waiting;

static int is_main_thread(void) {
    return getpid() == gettid();
}

/// What the C library has under that name, put where POSIX says that a function's address fits.
static void find(void* into, const char* name) {
    *(void**)into = dlsym(RTLD_NEXT, name);
}

// The C library's own names of parameters are reserved.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
    static int (*wait)(pthread_cond_t*, pthread_mutex_t*);
    if (wait == NULL) find(&wait, "pthread_cond_wait");
    if (is_main_thread()) {
        if (atomic_load(&condition_of_cpu) == NULL) atomic_store(&lock, mutex);
        return wait(condition, mutex);
    }
    if (mutex != atomic_load(&lock)) return wait(condition, mutex);
    atomic_store(&condition_of_cpu, condition);
    atomic_store(&is_waiting, 1);
    syscall(SYS_futex, &is_waiting, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    const int result = wait(condition, mutex);
    atomic_store(&is_waiting, 0);
    return result;
}

int pthread_cond_broadcast(pthread_cond_t* condition) {
    static int (*broadcast)(pthread_cond_t*);
    if (broadcast == NULL) find(&broadcast, "pthread_cond_broadcast");
    if (condition == atomic_load(&condition_of_cpu)) atomic_store(&is_waiting, 0);
    return broadcast(condition);
}

int ppoll(struct pollfd* files, nfds_t count, const struct timespec* timeout, const sigset_t* mask) {
    static int (*poll_files)(struct pollfd*, nfds_t, const struct timespec*, const sigset_t*);
    if (poll_files == NULL) find(&poll_files, "ppoll");
    const int result = poll_files(files, count, timeout, mask);
    const int error = errno;
    if (is_main_thread() && atomic_load(&condition_of_cpu) != NULL) {
        while (syscall(SYS_futex, &is_waiting, FUTEX_WAIT_PRIVATE, 0, &kLongest, NULL, 0) != 0 &&
               errno == EINTR) {
        }
    }
    errno = error;
    return result;
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
