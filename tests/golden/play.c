/* play.c - what playing over both protocols has in common. */
#include "golden/play.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

bool play_is_first_drop(const struct recording *r, size_t i)
{
    const char *name = r->steps[i].name;

    return i < 2 && name && strncmp(name, "drop", 4) == 0;
}

/* Generous, because the machine may be busy: what matters is whether the server waited at all, and whether
 * something woke it. */
void play_compare_elapsed(const struct step *s, int64_t took_ms, struct diffs *out)
{
    int64_t recorded_ms = step_ms(s, "elapsed_ms");

    if (recorded_ms < 0) return;
    if (took_ms > 3 * recorded_ms + 3000)
        diffs_add(out, "took %" PRId64 " ms, recorded %" PRId64, took_ms, recorded_ms);
    if (recorded_ms > 200 && took_ms < recorded_ms / 2 - 50)
        diffs_add(out, "took only %" PRId64 " ms, recorded %" PRId64, took_ms, recorded_ms);
}

void play_sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}
