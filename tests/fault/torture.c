/*
 * torture.c - the countdown of torture.h: reads what is wanted, counts, and reports what it failed.
 * Linked into test programs alone. Owns the one count of the process; a fork has a count of its own.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "fault/torture.h"

#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES 24     /* jansson's and our own before one of the program's */
#define SITE_FRAMES 4 /* of these a site is made: buffers grow in one place, for many */
#define REPORTED_FRAMES 12
#define MOST_SPARED 64
#define MOST_SITES 8192 /* a power of two */

struct site {
    uintptr_t at[REPORTED_FRAMES]; /* offsets in the program, as in its file */
    int count;
    uint32_t number, path; /* path: of all given frames */
    bool spared;
};

struct place {
    uint32_t path, times;
};

static struct torture {
    enum torture_kind kind; /* 0: nothing is to fail */
    long left;
    uint32_t site; /* 0: any */
    int record;    /* the file of sites, or -1 */
    uintptr_t base, end;
    int tests;          /* that libcheck has forked */
    const char *wanted; /* the numbers of those that run, or NULL: all */
    uintptr_t spared[MOST_SPARED][2];
    int spared_count;
    uint32_t each; /* of one path no more are counted; 0: all */
    uint32_t seen[MOST_SITES];
    struct place places[MOST_SITES];
} torture = {.record = -1};

ssize_t __real_write(int fd, const void *data, size_t bytes);
pid_t __real_fork(void);

static __thread bool paused;

static int find_program(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    torture.base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t end = info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && end > torture.end) torture.end = end;
    }
    return 1; /* the program itself comes first */
}

/* START-END,START-END,... in hexadecimal, as nm says them. */
static void read_spared(const char *text)
{
    for (int used; text && *text && torture.spared_count < MOST_SPARED; text += used) {
        uintptr_t *range = torture.spared[torture.spared_count];
        used = 0;
        if (sscanf(text, "%lx-%lx,%n", &range[0], &range[1], &used) < 2 || used == 0) break;
        torture.spared_count++;
    }
}

static bool is_spared(uintptr_t at)
{
    for (int i = 0; i < torture.spared_count; i++)
        if (at >= torture.spared[i][0] && at < torture.spared[i][1]) return true;
    return false;
}

static bool is_wanted(int test)
{
    const char *at = torture.wanted;
    for (char *end; at && *at; at = *end ? end + 1 : end)
        if (strtol(at, &end, 10) == test) return true;
    return !torture.wanted;
}

/* Libcheck's own: the least that it has to hear of a test. */
#define CK_CTX_TEST 2
__attribute__((weak)) void send_ctx_info(int context);

/* One that isn't wanted ends before it has begun. */
static pid_t no_test(void)
{
    if (send_ctx_info) send_ctx_info(CK_CTX_TEST);
    pid_t pid = vfork();
    if (pid == 0) _exit(0);
    return pid;
}

/* What follows in the output is this test's. */
pid_t torture_fork_test(void)
{
    char said[64];
    if (!is_wanted(++torture.tests)) return no_test();
    pid_t pid = __real_fork();
    if (pid != 0) return pid;
    snprintf(said, sizeof said, "torture: test %d begins\n", torture.tests);
    if (__real_write(STDERR_FILENO, said, strlen(said)) < 0) _exit(2);
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *request = getenv("LOCKSTEP_TEST_TORTURE"), *program = getenv("LOCKSTEP_TEST_TORTURE_PROGRAM");
    const char *sites = getenv("LOCKSTEP_TEST_TORTURE_SITES");
    const char *each = getenv("LOCKSTEP_TEST_TORTURE_EACH");
    char kind[16] = "";
    dl_iterate_phdr(find_program, NULL);
    if ((!request && !sites) || (program && strcmp(program, program_invocation_short_name) != 0)) return;
    read_spared(getenv("LOCKSTEP_TEST_TORTURE_SPARE"));
    if (sites) torture.record = open(sites, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (!request) return;
    if (sscanf(request, "%15[a-z]:%ld:%x", kind, &torture.left, &torture.site) < 2) {
        fprintf(stderr, "LOCKSTEP_TEST_TORTURE: KIND:N[:SITE] is wanted, not %s\n", request);
        _exit(2);
    }
    torture.kind = strcmp(kind, "call") == 0 ? TORTURE_CALL : TORTURE_ALLOCATION;
    torture.wanted = getenv("LOCKSTEP_TEST_TORTURE_TESTS");
    if (each) torture.each = (uint32_t)strtoul(each, NULL, 10);
}

/* Where we are: the innermost frames of the program but for those of the wrapping itself. */
__attribute__((noinline)) static struct site here(void)
{
    void *frames[FRAMES];
    struct site site = {.number = 2166136261u, .path = 2166136261u};
    int count = backtrace(frames, FRAMES);
    for (int i = 3; i < count; i++) {                           /* here(), torture_strikes(), __wrap_NAME() */
        uintptr_t at = (uintptr_t)frames[i] - torture.base - 1; /* of the call, not of what follows it */
        site.spared |= is_spared(at);
        if (at >= torture.end || site.count == REPORTED_FRAMES) continue;
        if (site.count < SITE_FRAMES) site.number = (site.number ^ (uint32_t)at) * 16777619u;
        site.path = (site.path ^ (uint32_t)at) * 16777619u;
        site.at[site.count++] = at;
    }
    site.number |= site.number == 0;
    return site;
}

static size_t site_text(const struct site *site, char *out, size_t size, const char *head)
{
    int length = snprintf(out, size, "%s", head);
    for (int i = 0; i < site->count; i++)
        length += snprintf(out + length, size - (size_t)length, " 0x%lx", (unsigned long)site->at[i]);
    length += snprintf(out + length, size - (size_t)length, "\n");
    return (size_t)length;
}

/* Writes a site down when it is met for the first time. */
static void record(const struct site *site, enum torture_kind kind, const char *name)
{
    char head[96], text[400];
    for (uint32_t i = 0; i < MOST_SITES; i++) {
        uint32_t *slot = &torture.seen[(site->number + i) % MOST_SITES], empty = 0;
        if (__atomic_load_n(slot, __ATOMIC_RELAXED) == site->number) return;
        if (__atomic_compare_exchange_n(slot, &empty, site->number, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            break;
        if (empty == site->number) return;
    }
    snprintf(head, sizeof head, "%s %x %s", kind == TORTURE_CALL ? "call" : "allocation", site->number, name);
    size_t length = site_text(site, text, sizeof text, head);
    if (__real_write(torture.record, text, length) < 0) return;
}

/* Whether this path has been reached as often as is wanted; counts. */
static bool worn_out(const struct site *site)
{
    for (uint32_t i = 0; i < MOST_SITES; i++) {
        struct place *place = &torture.places[(site->path + i) % MOST_SITES];
        uint32_t empty = 0;
        if (__atomic_load_n(&place->path, __ATOMIC_RELAXED) == site->path ||
            __atomic_compare_exchange_n(&place->path, &empty, site->path, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED) ||
            empty == site->path)
            return __atomic_add_fetch(&place->times, 1, __ATOMIC_RELAXED) > torture.each;
    }
    return false;
}

void torture_arm(enum torture_kind kind, long n)
{
    __atomic_store_n(&torture.left, n, __ATOMIC_SEQ_CST);
    __atomic_store_n(&torture.kind, kind, __ATOMIC_SEQ_CST);
}

void torture_pause(bool pause)
{
    paused = pause;
}

bool torture_disarm(void)
{
    __atomic_store_n(&torture.kind, 0, __ATOMIC_SEQ_CST);
    paused = false;
    return __atomic_load_n(&torture.left, __ATOMIC_SEQ_CST) <= 0;
}

__attribute__((noinline)) bool torture_strikes(enum torture_kind kind, const char *name)
{
    static __thread bool inside; /* what we call ourselves is not counted */
    char head[96], text[400];
    bool wanted = __atomic_load_n(&torture.kind, __ATOMIC_ACQUIRE) == kind;
    if ((!wanted && torture.record < 0) || inside || paused) return false;
    bool everywhere = wanted && torture.site == 0;
    struct site site;
    inside = true;
    if (torture.each) site = here();
    if ((torture.each && worn_out(&site)) ||
        (torture.record < 0 && everywhere && __atomic_sub_fetch(&torture.left, 1, __ATOMIC_RELAXED) != 0)) {
        inside = false;
        return false;
    }
    if (!torture.each) site = here();
    if (torture.record >= 0 && !site.spared) record(&site, kind, name);
    bool strikes = wanted && (everywhere ? torture.record < 0 : torture.site == site.number);
    if (strikes && !everywhere) strikes = __atomic_sub_fetch(&torture.left, 1, __ATOMIC_RELAXED) == 0;
    if (strikes && site.spared) { /* the next one, then */
        __atomic_store_n(&torture.left, 1, __ATOMIC_RELAXED);
        strikes = false;
    }
    if (strikes) {
        snprintf(head, sizeof head, "torture: %s failed at", name);
        size_t length = site_text(&site, text, sizeof text, head);
        if (__real_write(STDERR_FILENO, text, length) < 0) strikes = true; /* nothing else can be done */
    }
    inside = false;
    return strikes;
}
