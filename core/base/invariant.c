/* invariant.c - see invariant.h. */
#include "base/invariant.h"

#include <stdlib.h>

#include "base/log.h"

static atomic_uint_fast64_t broken;
static void (*on_broken)(const char *meaning);

void invariant_broken(const char *meaning, const char *file, int line, atomic_flag *logged_before)
{
    atomic_fetch_add(&broken, 1);
    if (on_broken) on_broken(meaning);
    if (!atomic_flag_test_and_set(logged_before))
        log_error("an invariant does not hold: this is a bug, please report it",
                  LOG_STR("invariant", meaning), LOG_STR("file", file), LOG_INT("line", line));
    if (getenv("LOCKSTEP_TEST_INVARIANTS")) abort();
}

uint64_t invariant_broken_count(void)
{
    return atomic_load(&broken);
}

void invariant_on_broken(void (*call)(const char *meaning))
{
    on_broken = call;
}
