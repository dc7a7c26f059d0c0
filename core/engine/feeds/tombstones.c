/*
 * tombstones.c - comes back to deleted documents, and to those whose point another one took over: once, when
 * no request of an earlier writer can be under way any more; again after another such time, as long as a
 * point was found or the check failed; and at once after a start where the last holder did not end well.
 *
 * So is a document whose record was refused everywhere, at each start and every five minutes.
 *
 * A round goes through the tombstones that are due, page by page. The next one begins when another is due.
 */
#include <string.h>

#include "engine/feeds/feeds.h"

#define PAGE_TOMBSTONES 512
#define ROUND_MS 500   /* from one round to the next, so that each has some */
#define IDLE_MS 120000 /* to the next when none is due: an earlier lease holder may have put one late */

void tombstones_note(struct engine *e, int64_t due_ms)
{
    if (e->feeds->tombstones.next_wall_ms == NO_TIME || due_ms < e->feeds->tombstones.next_wall_ms)
        e->feeds->tombstones.next_wall_ms = due_ms;
}

void tombstones_sent(struct engine *e, int64_t since_ms)
{
    if (since_ms < e->feeds->tombstones.put_first_ms) e->feeds->tombstones.put_first_ms = since_ms;
    if (since_ms > e->feeds->tombstones.put_last_ms) e->feeds->tombstones.put_last_ms = since_ms;
}

static void begin_round(struct engine *e, bool all)
{
    e->feeds->tombstones.put_first_ms = INT64_MAX;
    e->feeds->tombstones.put_last_ms = INT64_MIN;
    docid_free(e->feeds->tombstones.from);
    e->feeds->tombstones.from = NULL;
    e->feeds->tombstones.all = all;
    e->feeds->tombstones.refused = false;
}

void tombstones_begin(struct engine *e)
{
    begin_round(e, !e->facts.clean_start);
    e->feeds->tombstones.refused = e->facts.clean_start;
    e->feeds->tombstones.first = true;
    e->feeds->tombstones.next_wall_ms = wall_ms(e);
    e->feeds->tombstones.next_ms = now_ms(e);
}

/* While none takes a look or a delete, a check would only fail. */
static bool any_collection_answers(const struct engine *e)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (circuit_closed(&e->collections[i].circuit)) return true;
    return e->collection_count == 0;
}

void tombstones_run(struct engine *e)
{
    if (e->phase != PHASE_RUN || e->feeds->tombstones.requested || mongo_paused(e)) return;
    bool any = e->feeds->tombstones.from || (e->feeds->tombstones.next_wall_ms != NO_TIME &&
                                             e->feeds->tombstones.next_wall_ms <= wall_ms(e));
    if (!any || now_ms(e) < e->feeds->tombstones.next_ms || e->docs_in_work > e->config->max_docs / 2) return;
    if (!e->config->once && !any_collection_answers(e)) return;
    /* What is listed has to be so still when the list is here: none is put or dropped meanwhile. */
    if (e->tombstone_puts.in_flight + e->tombstone_drops.in_flight + e->takeovers.in_flight > 0) return;
    size_t space = e->config->max_docs - e->docs_in_work;
    e->feeds->tombstones.max = space < PAGE_TOMBSTONES ? space : PAGE_TOMBSTONES;
    ask(e, ASK_TOMBSTONES);
}

/* It was listed in an earlier round, and that check is not over. */
static bool is_at_work(struct engine *e, const struct tombstone *tombstone)
{
    const struct document *doc = document_table_find(e, tombstone->id);
    if (!doc || doc->state == DOCUMENT_LINGER) return false;
    return (doc->dirty.tombstone && doc->dirty.tombstone_since_ms == tombstone->since_ms) ||
           (doc->work.tombstone && doc->work.tombstone_since_ms == tombstone->since_ms);
}

/* The round of all tombstones has been there: we have put it again since, which would go on for ever. */
static bool is_of_this_round(const struct engine *e, const struct tombstone *tombstone)
{
    return (e->feeds->tombstones.all || e->feeds->tombstones.refused) &&
           tombstone->since_ms >= e->feeds->tombstones.put_first_ms &&
           tombstone->since_ms <= e->feeds->tombstones.put_last_ms;
}

/* False when memory is out. */
static bool take_tombstone(struct engine *e, struct tombstone *tombstone)
{
    struct dirty_reason reason = {.verify_points = true,
                                  .tombstone = true,
                                  .tombstone_alone = !tombstone->refused, /* that brings us here as well */
                                  .record_refused = tombstone->refused,
                                  .tombstone_since_ms = tombstone->since_ms,
                                  .tombstone_due_ms = tombstone->due_ms,
                                  .tombstone_key = tombstone->key,
                                  .owed = tombstone->owed,
                                  .after = tombstone->after};
    if (is_at_work(e, tombstone) || is_of_this_round(e, tombstone)) return true;
    tombstone->key = NULL;
    tombstone->owed = (struct owed_points){.items = NULL};
    if (document_make_dirty(e, tombstone->id, &reason)) return true;
    dirty_reason_fini(&reason);
    return false;
}

void tombstones_listed(struct engine *e, struct tombstone *list, size_t count, bool full, int64_t next_ms)
{
    size_t taken = 0;
    while (taken < count && take_tombstone(e, &list[taken])) taken++;
    bool more = taken < count || full;
    if (more) { /* goes on behind the last that was taken, which may be none */
        struct tombstone *last = taken ? &list[taken - 1] : NULL;
        if (!last) return;
        docid_free(e->feeds->tombstones.from);
        e->feeds->tombstones.from = last->id;
        e->feeds->tombstones.from_due_ms = last->due_ms;
        last->id = NULL;
        return;
    }
    bool far = next_ms != NO_TIME && next_ms > tombstone_latest_due(e); /* a clock has jumped */
    e->feeds->tombstones.next_wall_ms =
        e->feeds->tombstones.all || e->feeds->tombstones.refused || far ? wall_ms(e) : next_ms;
    tombstones_note(e, wall_ms(e) + IDLE_MS);
    e->feeds->tombstones.next_ms = now_ms(e) + ROUND_MS;
    e->feeds->tombstones.first = false;
    begin_round(e, far);
}
