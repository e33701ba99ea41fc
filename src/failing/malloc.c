/* For tests: loaded before a program (LD_PRELOAD), makes one of its allocations fail, or all from one on.
 *
 *   NSBENCH_FAIL_AT=N       the Nth of this process, or of a child that goes on counting; 0 none
 *   NSBENCH_FAIL_ON=yes     those behind it, too
 *   NSBENCH_FAIL_TOLD=FILE  gets "failed\n" where one has failed, and at a regular end "N\n": how many there
 *                           were
 *
 * operator new takes its memory from malloc. The C library's own functions are called by the names that glibc
 * has for them: dlsym(3) takes memory itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

static atomic_ulong counted;
static unsigned long at;
static bool goes_on;
static const char* told;
static pid_t process; /* 0 until begin() */
extern char** environ;

static void tell(const char* text) {
    const int saved = errno;
    const int file = told != NULL ? open(told, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (file >= 0) {
        if (write(file, text, strlen(text)) < 0) told = NULL;
        close(file);
    }
    errno = saved;
}

/* At the first allocation behind the C library's own beginning, so that constructors of libraries have theirs
 * fail, too. */
static void begin(void) {
    const char* const number = getenv("NSBENCH_FAIL_AT");
    at = number != NULL ? strtoul(number, NULL, 10) : 0;
    goes_on = getenv("NSBENCH_FAIL_ON") != NULL;
    told = getenv("NSBENCH_FAIL_TOLD");
    process = getpid();
}

/* Whether this one fails. */
static bool fails(void) {
    if (process == 0) {
        if (environ == NULL) return false;
        begin();
    }
    const unsigned long number = atomic_fetch_add(&counted, 1) + 1;
    if (at == 0 || number < at || (number > at && !goes_on)) return false;
    if (number == at) tell("failed\n");
    errno = ENOMEM;
    return true;
}

__attribute__((destructor)) static void end(void) {
    if (getpid() != process) return;
    char text[32];
    snprintf(text, sizeof text, "%lu\n", atomic_load(&counted));
    tell(text);
}

void* malloc(size_t size) {
    return fails() ? NULL : __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
    return fails() ? NULL : __libc_calloc(count, size);
}

void* realloc(void* old, size_t size) {
    return fails() ? NULL : __libc_realloc(old, size);
}

void* memalign(size_t alignment, size_t size) {
    return fails() ? NULL : __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
    return memalign(alignment, size);
}

int posix_memalign(void** found, size_t alignment, size_t size) {
    void* const memory = memalign(alignment, size);
    if (memory == NULL) return ENOMEM;
    *found = memory;
    return 0;
}
