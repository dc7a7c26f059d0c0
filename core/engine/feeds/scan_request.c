/*
 * scan_request.c - what is to be scanned, and what it is compared for: each feed that finds a reason to
 * compare everything asks here, and so does a person.
 *
 * Owns `compare` of struct engine, and says in `scan` and `sweep` what those begin with.
 */
#include "engine/feeds/feeds.h"

bool scan_idle(const struct engine *e)
{
    return !e->feeds->scan.wanted && !e->feeds->scan.running && !e->feeds->sweep.running;
}

void scan_start(struct engine *e, bool verify_points)
{
    /* One that is under way begins again: what it has passed was compared with less, or before the reason to
     * compare. */
    for (size_t i = 0; i < e->collection_count; i++)
        e->collections[i].known_empty = false; /* we have been at work */
    if (e->feeds->compare.state == COMPARE_RUNS)
        e->feeds->compare.state = COMPARE_WAITS; /* this one is about everything */
    e->feeds->scan.wanted = true;
    e->feeds->scan.recent = e->feeds->scan.silent = false;
    /* What was swept for is still to be found. */
    e->feeds->scan.verify_points |= verify_points || (e->feeds->sweep.running && !e->feeds->sweep.recount);
    e->feeds->scan.restart = true; /* a page may be under way that borrows the position */
    e->feeds->scan.running = false;
    e->feeds->sweep.running = false;
    e->save_dirty = true;
}

struct engine_compare scan_request(const struct engine *e)
{
    const struct engine_one_shot *one_shot = &e->config->one_shot;
    if (e->feeds->compare.state == COMPARE_RUNS) return e->feeds->compare.request;
    return (struct engine_compare){.only = one_shot->only,
                                   .force = one_shot->force,
                                   .whole = one_shot->whole,
                                   .allow_deletes = one_shot->allow_deletes};
}

bool compare_ask(struct engine *e, const struct engine_compare *request)
{
    if (e->feeds->compare.state != COMPARE_NONE) return false;
    e->feeds->compare.state = COMPARE_WAITS;
    e->feeds->compare.request = *request;
    e->feeds->compare.partial = false;
    if (request->allow_deletes) { /* those that are held need not wait until everything is compared */
        e->feeds->sweep.allowed = true;
        e->feeds->sweep.recount_ms = 0;
    }
    return true;
}

void compare_stop(struct engine *e)
{
    if (e->feeds->compare.state == COMPARE_RUNS) {
        e->feeds->scan.wanted = e->feeds->scan.running = e->feeds->scan.verify_points = e->feeds->scan.ended =
            false;
        e->feeds->scan.restart = true; /* a page may be under way that borrows the position */
        e->feeds->sweep.running = false;
        e->save_dirty = true;
    }
    e->feeds->compare.state = COMPARE_NONE;
    e->feeds->sweep.allowed = false;
}

/* Begins when no other scan is at work, and is over when all it found is put right. */
void compare_run(struct engine *e)
{
    if (!scan_idle(e) || e->facts.page_requested || e->feeds->sweep.requested) return;
    if (!watermark_idle(&e->feeds->scan.watermark) || !watermark_idle(&e->feeds->sweep.watermark)) return;
    if (e->feeds->compare.state == COMPARE_WAITS) {
        scan_start(e, true);
        e->feeds->compare.state = COMPARE_RUNS;
    } else if (e->feeds->compare.state == COMPARE_RUNS) {
        e->feeds->compare.state = COMPARE_NONE;
        e->feeds->sweep.allowed = false;
        e->feeds->compare.done++;
    }
}
