/* For tests: loaded before a program (LD_PRELOAD), makes one of its allocations fail, or all from one on.
 *
 *   NSBENCH_FAIL_AT=N       the Nth of this process, or of a child that goes on counting; 0 none
 *   NSBENCH_FAIL_ON=yes     those behind it, too
 *   NSBENCH_FAIL_TOLD=FILE  gets "failed\n" where one has failed, and at a regular end "N\n": how many there
 *                           were
 *   NSBENCH_FAIL_SITES=FILE gets then a line for each, in their order: a number for the callers that it has.
 *                           Allocations of the same callers have the same one
 *
 * operator new takes its memory from malloc. The C library's own functions are called by the names that glibc
 * has for them: dlsym(3) takes memory itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <unwind.h>

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

static atomic_ulong counted;
static unsigned long at;
static bool goes_on;
static const char* told;
static const char* sites_file; /* NULL where nobody asks for them */
static uint32_t sites[1U << 20U];
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
    sites_file = getenv("NSBENCH_FAIL_SITES");
    process = getpid();
}

enum { kFrames = 6 }; /* the innermost callers, by which allocations are told apart */

struct Walk {
    int frames;
    uint32_t hash; /* FNV-1a */
};

static _Unwind_Reason_Code visit(struct _Unwind_Context* context, void* walk_of) {
    struct Walk* const walk = walk_of;
    uintptr_t address = _Unwind_GetIP(context);
    for (size_t i = 0; i < sizeof address; ++i, address >>= 8U)
        walk->hash = (walk->hash ^ (uint32_t)(address & 0xFFU)) * 16777619U;
    return ++walk->frames < kFrames ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

static void note_site(unsigned long number) {
    static atomic_flag busy = ATOMIC_FLAG_INIT; /* should the walk take memory itself */
    if (number > sizeof sites / sizeof *sites || atomic_flag_test_and_set(&busy)) return;
    struct Walk walk = {0, 2166136261U};
    _Unwind_Backtrace(visit, &walk);
    sites[number - 1] = walk.hash;
    atomic_flag_clear(&busy);
}

static void tell_sites(unsigned long count) {
    FILE* const file = fopen(sites_file, "we");
    if (file == NULL) return;
    for (unsigned long i = 0; i < count && i < sizeof sites / sizeof *sites; ++i)
        fprintf(file, "%u\n", sites[i]);
    fclose(file);
}

/* Whether this one fails. */
static bool fails(void) {
    if (process == 0) {
        if (environ == NULL) return false;
        begin();
    }
    const unsigned long number = atomic_fetch_add(&counted, 1) + 1;
    if (sites_file != NULL) note_site(number);
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
    if (sites_file != NULL) tell_sites(atomic_load(&counted));
}

// The C library's own names of parameters are reserved.
// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
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
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
