/*
 * invariant.h - what must hold at a place in the code, whatever comes in from outside.
 *
 * One that does not hold is counted, and logged once for its place. The process goes on, unless
 * LOCKSTEP_TEST_INVARIANTS is in its environment, as in all tests: then it aborts. Thread-safe.
 */
#ifndef LOCKSTEP_BASE_INVARIANT_H
#define LOCKSTEP_BASE_INVARIANT_H

#include <stdatomic.h>
#include <stdint.h>

#define invariant(condition, meaning)                                                                        \
    do {                                                                                                     \
        static atomic_flag logged_before = ATOMIC_FLAG_INIT;                                                 \
        if (!(condition)) invariant_broken((meaning), __FILE__, __LINE__, &logged_before);                   \
    } while (0)

void invariant_broken(const char *meaning, const char *file, int line, atomic_flag *logged_before);
/* How many did not hold since the process began. */
uint64_t invariant_broken_count(void);
/* Is called for each that does not hold, before all else; NULL: nothing is. Set before threads start. */
void invariant_on_broken(void (*call)(const char *meaning));

#endif
