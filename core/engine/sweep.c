/*
 * sweep.c - goes through our points and looks whether each has its document, and that document's record says
 * so.
 *
 * What it finds is only a suspicion: the document is marked, read with majority concern, and its points are
 * asked in their turn before anything is deleted. Points of others are never touched.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

#define PAGE_POINTS 512

static void free_page(struct engine *e)
{
    for (size_t i = 0; i < e->sweep.page_count; i++) {
        witness_fini(&e->sweep.page[i]);
        docid_free(e->sweep.ids[i]);
    }
    free(e->sweep.page);
    free(e->sweep.ids);
    e->sweep.page = NULL;
    e->sweep.ids = NULL;
    e->sweep.page_count = 0;
}

void sweep_begin(struct engine *e)
{
    if (e->sweep.requested) /* by one that was broken off: its page is borrowed until that comes back */
        e->sweep.outdated = true;
    else
        free_page(e);
    e->sweep.running = true;
    e->sweep.left = e->collection_count < 64 ? ((uint64_t)1 << e->collection_count) - 1 : UINT64_MAX;
    e->sweep.from[0] = '\0';
    e->sweep.suspects = 0;
    e->sweep.began_ms = now_ms(e);
    e->sweep.next_ms = 0;
    /* What was read before what we sweep for may be written after we came by. */
    docs_mark_held(e, &e->sweep.mark);
}

void sweep_fini(struct engine *e)
{
    free_page(e);
}

static void ask_points(struct engine *e)
{
    struct req *req = req_new(REQ_SCROLL, NULL);
    if (!req) return;
    req->scroll.collection = e->sweep.collection;
    memcpy(req->scroll.from, e->sweep.from, sizeof e->sweep.from);
    req->scroll.max_points = PAGE_POINTS;
    e->sweep.requested = true;
    submit_to_index(e, req);
}

/* Reads the documents of a page of points; a point whose `doc` is no id at all can't be ours after all. */
static void ask_documents(struct engine *e)
{
    struct req *req = req_new(REQ_READ, &e->sweep);
    const struct docid **ids = calloc(e->sweep.page_count, sizeof *ids);
    if (!req || !ids) {
        req_free(req);
        free(ids);
        return;
    }
    for (size_t i = 0; i < e->sweep.page_count; i++) ids[i] = e->sweep.ids[i];
    req->read.ids = ids;
    req->read.count = e->sweep.page_count;
    req->read.after = e->stream.received.at; /* one that is older may still have what a drop took away */
    e->sweep.requested = true;
    submit(e, &e->ports.source, req);
}

static void sweep_end(struct engine *e)
{
    e->sweep.running = false;
    e->sweep.due_ms = now_ms(e) + 9 * (now_ms(e) - e->sweep.began_ms);
    e->save.dirty = true;
    for (size_t i = 0; i < e->collection_count; i++) e->collections[i].virgin = false;
    LOG_WITH(e->scan.silent ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
             "sweep done: every point was asked for its document", LOG_STR("source", e->config->source),
             LOG_INT("suspects", e->sweep.suspects));
}

static void collection_done(struct engine *e, size_t collection)
{
    e->sweep.left &= ~((uint64_t)1 << collection);
    if (collection == e->sweep.collection) e->sweep.from[0] = '\0';
    if (!e->sweep.left) sweep_end(e);
}

/* Its points needn't be gone through, or can't be. */
static bool passed_over(struct engine *e, size_t collection)
{
    const struct collection_state *c = &e->collections[collection];
    uint64_t only = scan_wish(e).only;
    if (only && !(only >> collection & 1)) return true;
    if (e->config->once && !circuit_closed(&c->circuit)) { /* one pass doesn't wait until it is well again */
        e->unknown = true;
        return true;
    }
    if (e->compare.state == COMPARE_RUNS && !circuit_closed(&c->circuit)) {
        e->compare.partial = true;
        return true;
    }
    return c->virgin; /* it had no point when we came: what we wrote since has a record */
}

static bool can_be_swept(const struct engine *e, size_t collection)
{
    return (e->sweep.left >> collection & 1) && circuit_closed(&e->collections[collection].circuit);
}

/* Goes on with the one begun, or to the next that is well: who isn't keeps nobody waiting. False if all that
 * are left have to be waited for. */
static bool choose_collection(struct engine *e)
{
    for (size_t i = 0; i < e->collection_count && e->sweep.running; i++)
        if ((e->sweep.left >> i & 1) && passed_over(e, i)) collection_done(e, i);
    if (!e->sweep.running) return false;
    if (can_be_swept(e, e->sweep.collection)) return true;
    for (size_t i = 0; i < e->collection_count; i++) {
        if (!can_be_swept(e, i)) continue;
        e->sweep.collection = i;
        e->sweep.from[0] = '\0';
        return true;
    }
    return false;
}

bool sweep_waits(const struct engine *e)
{
    if (!e->sweep.running || e->sweep.requested || e->sweep.page_count > 0) return false;
    for (size_t i = 0; i < e->collection_count; i++)
        if (can_be_swept(e, i)) return false;
    return true;
}

void sweep_run(struct engine *e)
{
    if (!e->sweep.running || e->sweep.requested || now_ms(e) < e->sweep.next_ms) return;
    if (e->sweep.page_count > 0) {
        if (!mongo_paused(e)) ask_documents(e);
        return;
    }
    if (e->docs_in_work > e->config->max_docs / 2) return;
    if (choose_collection(e)) ask_points(e);
}

static void points_back(struct engine *e, struct req *req)
{
    struct collection_state *c = &e->collections[req->scroll.collection];
    if (req->err.code != LKS_E_OK) {
        collection_failed(e, c, &req->err);
        e->sweep.next_ms = now_ms(e) + 1000;
        return;
    }
    struct witness *found = req->scroll.found;
    size_t count = req->scroll.found_count;
    e->sweep.page = calloc(count ? count : 1, sizeof *e->sweep.page);
    e->sweep.ids = calloc(count ? count : 1, sizeof(struct docid *));
    if (!e->sweep.page || !e->sweep.ids) {
        free_page(e);
        e->sweep.next_ms = now_ms(e) + 1000;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        epochs_note(e, req->scroll.collection, &found[i]);
        struct docid *id = NULL;
        if (found[i].ours && found[i].doc && !docid_read(found[i].doc, &id)) {
            free_page(e); /* memory is out: the same page again */
            e->sweep.next_ms = now_ms(e) + 1000;
            return;
        }
        if (!id) continue;
        e->sweep.ids[e->sweep.page_count] = id;
        e->sweep.page[e->sweep.page_count++] = found[i];
        memset(&found[i], 0, sizeof found[i]);
    }
    memcpy(e->sweep.from, req->scroll.next, sizeof e->sweep.from);
    e->sweep.last = !req->scroll.next[0];
    if (e->sweep.page_count > 0) return;
    free_page(e);
    if (e->sweep.last) collection_done(e, e->sweep.collection);
}

/* Does the document's record say what this point says? */
static bool in_step(const struct engine *e, const struct source_doc *doc, const struct witness *w)
{
    if (!doc->body || doc->record.entry_count != e->collection_count) return false;
    const struct entry *entry = &doc->record.entries[e->sweep.collection];
    return entry->present && strcmp(entry->point_id, w->point_id) == 0 &&
           (entry->status != SYNC_SYNCED || (strcmp(entry->content_hash, w->content_hash) == 0 &&
                                             strcmp(entry->payload_hash, w->payload_hash) == 0));
}

static void documents_back(struct engine *e, struct req *req)
{
    if (req->err.code != LKS_E_OK) {
        mongo_failed(e, &req->err, "sweep");
        return;
    }
    mongo_answered(e);
    for (size_t i = 0; i < req->read.count; i++) {
        if (in_step(e, &req->read.docs[i], &e->sweep.page[i])) continue;
        struct why why = {.doubt = true, .only = scan_wish(e).only};
        e->sweep.suspects++;
        if (doc_mark_holding(e, e->sweep.ids[i], &why, &e->sweep.mark, NULL)) continue;
        free_page(e); /* memory is out: from the beginning, then */
        scan_start(e, true);
        return;
    }
    free_page(e);
    if (e->sweep.last) collection_done(e, e->sweep.collection);
}

void sweep_handle(struct engine *e, struct req *req)
{
    bool outdated = e->sweep.outdated;
    e->sweep.requested = e->sweep.outdated = false;
    if (!e->sweep.running || outdated) {
        free_page(e);
    } else if (req->kind == REQ_SCROLL) {
        points_back(e, req);
    } else {
        documents_back(e, req);
    }
}
