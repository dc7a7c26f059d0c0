/*
 * torture.h - one allocation, or one call that can fail, fails once: the countdown, and how a call is put
 * under it.
 *
 * A program that is linked with the wrapped calls (torture.c, torture_calls.c, torture_libraries.c; ld's
 * --wrap, by the list that local.mk draws from their CALL lines) reads from its environment
 *
 *     LOCKSTEP_TEST_TORTURE=KIND:N[:SITE]   the N-th `allocation` or `call` fails; with SITE, the N-th there
 *
 *     LOCKSTEP_TEST_TORTURE_PROGRAM=NAME    and only in the program of this name, not in what it starts
 *
 *     LOCKSTEP_TEST_TORTURE_TESTS=3,4,9     only these tests of it are run (torture_fork_test)
 *
 *     LOCKSTEP_TEST_TORTURE_EACH=K          by one path through the program the first K alone count
 *
 *     LOCKSTEP_TEST_TORTURE_SPARE=A-B,C-D,  nothing that functions at these addresses call, or have called
 *
 *     LOCKSTEP_TEST_TORTURE_SITES=FILE      appends the sites that it reaches: KIND SITE NAME ADDRESS...
 *
 * A site is where the call was made from: the innermost frames of the program itself, as one number in
 * hexadecimal. What was failed is printed on standard error: `torture: NAME failed at ADDRESS...` (for
 * addr2line).
 *
 * Only calls of this tree's own code are wrapped: what a shared library allocates or calls never fails here.
 */
#ifndef LOCKSTEP_TESTS_FAULT_TORTURE_H
#define LOCKSTEP_TESTS_FAULT_TORTURE_H

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>

/* The linker looks for the wrapped names in shared libraries, too, and stops at those that are hidden. */
#pragma GCC visibility push(default)

enum torture_kind { TORTURE_ALLOCATION = 1, TORTURE_CALL };

/* True once: when the count that the environment gave has come down. Thread-safe. */
bool torture_strikes(enum torture_kind kind, const char *name);

/* For tests that fail something within themselves: from now on the N-th of `kind` fails, if it comes before
 * torture_disarm(), which says whether it came. Counts in all threads; torture_pause() leaves
 * what its caller does from here on out of the count, or takes it in again. */
void torture_arm(enum torture_kind kind, long n);
void torture_pause(bool pause);
bool torture_disarm(void);

/* For libcheck, instead of fork(): each test that it forks has a number. */
pid_t torture_fork_test(void);

/*
 * Wraps a function: when its turn has come it isn't called, `failing` is done, and `failed` returned.
 * The name comes first on the line: the linker's list is drawn from there.
 */
#define WRAPPED(kind, name, type, parameters, arguments, failed, failing)                                    \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters                                                                            \
    {                                                                                                        \
        if (torture_strikes(kind, #name)) {                                                                  \
            failing;                                                                                         \
            return failed;                                                                                   \
        }                                                                                                    \
        return __real_##name arguments;                                                                      \
    }
#define CALL(...) WRAPPED(TORTURE_CALL, __VA_ARGS__)
#define ALLOCATION(...) WRAPPED(TORTURE_ALLOCATION, __VA_ARGS__)

#endif
