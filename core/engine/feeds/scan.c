/*
 * scan.c - goes through all documents of the source, beside the stream.
 *
 * A page's documents are at work at once; one that is dirty or in work, or was at any time since the page was
 * asked for, is dropped from the page and read like any other. The position is saved only past durable work.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/feeds/feeds.h"

#define PAGE_DOCS 256
#define PAGE_MIN_DOCS 32
#define FULL_SCAN_MS 3600000 /* polling by a date field: everything at least this often */

void docid_position_free(void *position)
{
    docid_free(position);
}

#define PACE_MS 20000

/* The rate is that of the last 20 to 40 seconds. */
static void note_pace(struct engine *e)
{
    int64_t now = now_ms(e);
    if (now < e->feeds->scan.pace.at_ms + PACE_MS) return;
    e->feeds->scan.last_pace = e->feeds->scan.pace;
    e->feeds->scan.pace = (struct scan_pace){.at_ms = now, .seen = e->feeds->scan.seen};
}

double scan_rate(const struct engine *e)
{
    int64_t now = e->ports.clock.now_ms(e->ports.clock.self), passed = now - e->feeds->scan.last_pace.at_ms;
    if (!e->feeds->scan.running || passed < 100) return -1;
    return (double)(e->feeds->scan.seen - e->feeds->scan.last_pace.seen) * 1000 / (double)passed;
}

static void begin(struct engine *e)
{
    if (e->feeds->scan.restart) {
        docid_free(e->feeds->scan.from);
        e->feeds->scan.from = NULL;
        e->feeds->scan.restart = false;
    }
    watermark_fini(&e->feeds->scan.watermark);
    if (e->feeds->scan.from) {
        struct docid *position = docid_copy(e->feeds->scan.from);
        if (position) watermark_advance(&e->feeds->scan.watermark, position);
    }
    e->feeds->scan.wanted = false;
    e->feeds->scan.running = true;
    e->feeds->scan.ended = false;
    e->feeds->scan.seen = 0;
    e->feeds->scan.pace = e->feeds->scan.last_pace = (struct scan_pace){.at_ms = now_ms(e)};
    e->feeds->scan.total = -1;
    e->feeds->scan.recent = e->feeds->scan.recent && !e->feeds->scan.verify_points && !e->feeds->scan.from;
    e->feeds->scan.all = !e->feeds->scan.recent && !e->feeds->scan.from;
    if (!e->feeds->scan.recent) e->feeds->scan.full_ms = now_ms(e);
    e->facts.scan++;
    e->save_dirty = true;
    replicas_scan_begins(e);
    LOG_WITH(e->feeds->scan.silent ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
             e->feeds->scan.verify_points ? "scan begins, comparing with the points" : "scan begins",
             LOG_STR("source", e->config->source),
             LOG_STR("from", e->feeds->scan.from ? "where the last one stopped" : "the first document"));
}

static void next_page(struct engine *e)
{
    size_t limit = e->config->max_docs - e->config->max_docs / 4; /* the rest is for the stream */
    size_t space = limit > e->docs_in_work ? limit - e->docs_in_work : 0;
    size_t bytes = e->config->max_bytes > e->bytes_in_work ? e->config->max_bytes - e->bytes_in_work : 0;
    if ((space < PAGE_MIN_DOCS || bytes < e->config->max_bytes / 4) && e->docs_in_work > 0) return;
    e->feeds->scan.page_docs = space < PAGE_DOCS ? (space ? space : 1) : PAGE_DOCS;
    e->feeds->scan.page_bytes = bytes ? bytes : 1;
    ask(e, ASK_SCAN);
}

/* False when memory is out: the document has to be scanned again. */
static bool take_scanned(struct engine *e, struct source_document *src)
{
    struct docid *position = docid_copy(src->id), *from = docid_copy(src->id);
    struct watermark_entry *entry =
        position && from ? watermark_hold(&e->feeds->scan.watermark, position) : NULL;
    if (position && !from) docid_free(position);
    struct engine_compare request = scan_request(e);
    struct dirty_reason reason = {.verify_points = e->feeds->scan.verify_points,
                                  .scanned = true,
                                  .only = request.only,
                                  .force = request.force};
    bool taken = entry && dirty_reason_add_hold(&reason, entry);
    if (taken && document_table_find(e, src->id)) {
        reason.scanned = false;
        taken = document_make_dirty(e, src->id, &reason);
    } else if (taken) {
        taken = document_adopt(e, src, &reason) != NULL;
    }
    if (taken) {
        docid_free(e->feeds->scan.from);
        e->feeds->scan.from = from;
        return true;
    }
    dirty_reason_fini(&reason);
    docid_free(from);
    if (entry) watermark_retract(entry);
    return false;
}

void scan_page(struct engine *e, struct source_document *docs, size_t count, bool ends, int64_t total)
{
    if (e->feeds->scan.page_of != e->facts.scan || !e->feeds->scan.running || e->phase != PHASE_RUN) return;
    if (total >= 0) e->feeds->scan.total = total;
    size_t taken = 0;
    while (taken < count && take_scanned(e, &docs[taken])) taken++;
    e->feeds->scan.seen += taken;
    note_pace(e);
    e->feeds->scan.ended = ends && taken == count;
}

/* Without a change stream everything is compared at intervals. */
static bool polls(const struct engine *e)
{
    return e->feeds->stream.unsupported || e->config->watch == WATCH_POLL;
}

static void end(struct engine *e)
{
    bool verify_points = e->feeds->scan.verify_points;
    LOG_WITH(e->feeds->scan.silent ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "scan done",
             LOG_STR("source", e->config->source), LOG_INT("documents", e->feeds->scan.seen));
    bool swept_lately =
        e->feeds->scan.recent || e->feeds->scan.silent ? now_ms(e) < e->feeds->sweep.due_ms : false;
    e->feeds->scan.running = e->feeds->scan.verify_points = e->feeds->scan.recent = false;
    docid_free(e->feeds->scan.from);
    e->feeds->scan.from = NULL;
    watermark_fini(&e->feeds->scan.watermark); /* a scan to come begins at the first document */
    e->feeds->scan.next_ms = now_ms(e) + e->config->poll_interval_ms;
    e->save_dirty = true;
    e->feeds->count_check.wanted = true;
    replicas_scan_ends(e, verify_points);
    if (e->feeds->scan.all) lag_scanned(e);
    /* What another installation writes has no document here. When it is gone everything is compared. */
    if ((verify_points || (polls(e) && !swept_lately)) && !e->facts.another_epoch) sweep_begin(e);
}

void scan_run(struct engine *e)
{
    if (e->phase != PHASE_RUN) return;
    if (e->config->one_shot.on && !e->config->one_shot.scan)
        return; /* whoever comes next notices what is missing */
    compare_run(e);
    bool followed =
        e->config->one_shot.on || e->feeds->stream.open || polls(e) || e->config->watch == WATCH_OFF;
    bool idle =
        !e->feeds->scan.wanted && !e->feeds->scan.running && (!e->feeds->sweep.running || sweep_waits(e));
    if (polls(e) && idle && e->feeds->compare.state != COMPARE_RUNS && !e->config->once &&
        now_ms(e) >= e->feeds->scan.next_ms) {
        e->feeds->scan.wanted = true;
        e->feeds->scan.silent = e->facts.scan > 0;
        e->feeds->scan.recent =
            e->config->poll_recent && e->facts.scan > 0 && now_ms(e) < e->feeds->scan.full_ms + FULL_SCAN_MS;
    }
    /* The stream first, then the scan; and what an earlier scan began must be over, or its positions would
     * mix with ours. */
    if (e->feeds->scan.wanted && followed && !e->facts.page_requested && !e->feeds->sweep.requested &&
        watermark_idle(&e->feeds->scan.watermark))
        begin(e);
    if (!e->feeds->scan.running || e->facts.page_requested || mongo_paused(e)) {
        sweep_run(e);
        return;
    }
    if (!e->feeds->scan.ended)
        next_page(e);
    else if (watermark_idle(&e->feeds->scan.watermark))
        end(e);
}
