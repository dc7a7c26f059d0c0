/*
 * torture.h - lets one allocation fail: the LOCKSTEP_TORTURE-th of the program's own code in each test.
 * Included before everything else by the build that tests/fault/torture makes (-include), and by no other.
 *
 * Only what core/ and plugins/ allocate themselves, or let jansson allocate, is counted: the tests' own
 * memory never fails, and libbson ends the process without memory, by its own design.
 */
#ifndef LOCKSTEP_TESTS_FAULT_TORTURE_H
#define LOCKSTEP_TESTS_FAULT_TORTURE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One for the whole program, though every file brings it. */
__attribute__((weak)) long torture_left;

void json_set_alloc_funcs(void *(*)(size_t), void (*)(void *)) __attribute__((weak));

/* True once, when the count has come down. Check forks: each test has a count of its own. */
static inline int torture_strikes(void)
{
    static const char said[] = "torture: an allocation failed\n";
    if (torture_left <= 0 || __atomic_sub_fetch(&torture_left, 1, __ATOMIC_RELAXED) != 0) return 0;
    if (write(STDERR_FILENO, said, sizeof said - 1) < 0) return 1;
    errno = ENOMEM;
    return 1;
}

static inline void *torture_json_malloc(size_t bytes)
{
    return torture_strikes() ? NULL : malloc(bytes);
}

__attribute__((constructor)) static void torture_begin(void)
{
    const char *count = getenv("LOCKSTEP_TORTURE");
    if (count) torture_left = strtol(count, NULL, 10);
    if (json_set_alloc_funcs) json_set_alloc_funcs(torture_json_malloc, free);
}

#define TORTURED (strstr(__FILE__, "core/") || strstr(__FILE__, "plugins/"))
#define malloc(bytes) (TORTURED && torture_strikes() ? NULL : malloc(bytes))
#define calloc(count, bytes) (TORTURED && torture_strikes() ? NULL : calloc(count, bytes))
#define realloc(old, bytes) (TORTURED && torture_strikes() ? NULL : realloc(old, bytes))
#undef strdup
#undef strndup
#define strdup(text) (TORTURED && torture_strikes() ? NULL : strdup(text))
#define strndup(text, bytes) (TORTURED && torture_strikes() ? NULL : strndup(text, bytes))

#endif
