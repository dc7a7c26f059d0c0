/*
 * docs.c - the documents the engine holds: the map by `_id`, and the life of one from dirty to durable.
 *
 * Owns struct doc and everything in it. Never talks to a port; it puts documents into lanes, and send.c
 * empties those.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/internal.h"

#define FIRST_BUCKETS 1024
#define MAX_KEYS 32 /* of lastModifiedFields */

/* ---- reasons ---- */

void why_fini(struct why *why)
{
    for (struct hold *h = why->holds, *next; h; h = next) {
        next = h->next;
        free(h);
    }
    for (size_t i = 0; i < why->key_count; i++) free(why->keys[i]);
    free(why->keys);
    free(why->tomb_key);
    *why = (struct why){.after = 0};
}

bool why_add_hold(struct why *why, struct mark *mark)
{
    struct hold *h = malloc(sizeof *h);
    if (!h) return false;
    *h = (struct hold){.next = why->holds, .mark = mark};
    why->holds = h;
    return true;
}

void why_add_key(struct why *why, const char *path)
{
    size_t bytes = strcspn(path, ".");
    for (size_t i = 0; i < why->key_count; i++)
        if (strncmp(why->keys[i], path, bytes) == 0 && !why->keys[i][bytes]) return;
    if (why->key_count >= MAX_KEYS) return;
    char **keys = realloc(why->keys, (why->key_count + 1) * sizeof *keys);
    if (!keys) return; /* lastModifiedFields is for people: an incomplete one does no harm */
    why->keys = keys;
    keys[why->key_count] = strndup(path, bytes);
    if (keys[why->key_count]) why->key_count++;
}

/* Adds `more` to `to`, taking its contents. */
static void why_merge(struct why *to, struct why *more)
{
    if (more->after > to->after) to->after = more->after;
    if (more->holds) {
        struct hold *last = more->holds;
        while (last->next) last = last->next;
        last->next = to->holds;
        to->holds = more->holds;
        more->holds = NULL;
    }
    to->doubt |= more->doubt;
    to->force |= more->force;
    to->explicit_ask |= more->explicit_ask;
    to->scanned &= more->scanned;
    to->rival &= more->rival;
    to->cycle |= more->cycle;
    if (more->happened_ms && (!to->happened_ms || more->happened_ms < to->happened_ms))
        to->happened_ms = more->happened_ms;
    if (more->tomb && (!to->tomb || more->tomb_since_ms > to->tomb_since_ms))
        to->tomb_since_ms = more->tomb_since_ms;
    to->tomb |= more->tomb;
    to->tomb_alone &= more->tomb_alone;
    if (more->tomb_key && !to->tomb_key) {
        to->tomb_key = more->tomb_key;
        more->tomb_key = NULL;
    }
    for (size_t i = 0; i < more->key_count; i++) why_add_key(to, more->keys[i]);
    to->only = to->only && more->only ? to->only | more->only : 0;
    why_fini(more);
}

static void why_move(struct why *to, struct why *from)
{
    *to = *from;
    *from = (struct why){.after = 0};
}

static void release_holds(struct why *why)
{
    for (struct hold *h = why->holds; h; h = h->next) watermark_release(h->mark);
    why_fini(why);
}

/* ---- the map ---- */

bool docs_init(struct engine *e)
{
    e->bucket_count = FIRST_BUCKETS;
    e->buckets = calloc(e->bucket_count, sizeof(struct doc *));
    return e->buckets != NULL;
}

static struct doc **doc_slot(struct engine *e, const struct docid *id)
{
    struct doc **at = &e->buckets[docid_hash(id) % e->bucket_count];
    while (*at && !docid_equal((*at)->id, id)) at = &(*at)->chain;
    return at;
}

struct doc *docs_find(struct engine *e, const struct docid *id)
{
    return *doc_slot(e, id);
}

static void map_grow(struct engine *e)
{
    size_t count = e->bucket_count * 2;
    struct doc **buckets = calloc(count, sizeof(struct doc *));
    if (!buckets) return;
    for (size_t i = 0; i < e->bucket_count; i++)
        for (struct doc *doc = e->buckets[i], *next; doc; doc = next) {
            next = doc->chain;
            struct doc **to = &buckets[docid_hash(doc->id) % count];
            doc->chain = *to;
            *to = doc;
        }
    free(e->buckets);
    e->buckets = buckets;
    e->bucket_count = count;
}

static struct doc *doc_new(struct engine *e, const struct docid *id)
{
    struct doc *doc = calloc(1, sizeof *doc + e->collection_count * sizeof(struct part));
    if (!doc) return NULL;
    doc->id = docid_copy(id);
    doc->json = docid_json(id);
    if (!doc->id || !doc->json) {
        docid_free(doc->id);
        free(doc->json);
        free(doc);
        return NULL;
    }
    for (size_t i = 0; i < e->collection_count; i++) {
        doc->parts[i].doc = doc;
        doc->parts[i].collection = i;
        doc->parts[i].stage = PART_SETTLED;
    }
    if (e->docs_mapped >= e->bucket_count) map_grow(e);
    struct doc **slot = doc_slot(e, id);
    doc->chain = *slot;
    *slot = doc;
    e->docs_mapped++;
    e->docs_in_work++;
    return doc;
}

/* Frees what the work on a document brought along; its reasons stay. */
static void drop_contents(struct engine *e, struct doc *doc)
{
    for (size_t i = 0; i < e->collection_count; i++) part_fini(e, &doc->parts[i]);
    e->bytes_in_work -= doc->bytes;
    doc->bytes = 0;
    source_doc_fini(&doc->src);
    memset(&doc->src, 0, sizeof doc->src);
    record_fini(&doc->after);
    memset(&doc->after, 0, sizeof doc->after);
    for (size_t i = 0; i < doc->freed_count; i++) free(doc->freed[i]);
    free(doc->freed);
    doc->freed = NULL;
    doc->freed_count = 0;
    doc->gone = false;
}

static void doc_free(struct engine *e, struct doc *doc)
{
    lane_remove(&doc->node);
    drop_contents(e, doc);
    why_fini(&doc->dirty);
    why_fini(&doc->work);
    docid_free(doc->id);
    free(doc->json);
    free(doc);
}

static void doc_unmap(struct engine *e, struct doc *doc)
{
    *doc_slot(e, doc->id) = doc->chain;
    e->docs_mapped--;
}

void docs_unlinger(struct engine *e)
{
    struct doc *doc = e->lingering;
    e->lingering = NULL;
    for (struct doc *next; doc; doc = next) {
        next = doc->linger_next;
        doc->linger_next = NULL;
        doc->listed = false;
        if (doc->state != DOC_LINGER) continue;
        doc_unmap(e, doc);
        doc_free(e, doc);
    }
}

void docs_drop_all(struct engine *e)
{
    for (size_t i = 0; i < e->bucket_count; i++) /* no turn goes to a neighbour that is about to be freed */
        for (struct doc *doc = e->buckets[i]; doc; doc = doc->chain)
            for (size_t k = 0; k < e->collection_count; k++)
                doc->parts[k].turn = (struct turn_ticket){.chain = NULL};
    memset(e->turns.buckets, 0, e->turns.bucket_count * sizeof(struct turn_ticket *));
    e->turns.held = 0;
    for (size_t i = 0; i < e->bucket_count; i++)
        for (struct doc *doc = e->buckets[i], *next; doc; doc = next) {
            next = doc->chain;
            doc_free(e, doc);
        }
    memset(e->buckets, 0, e->bucket_count * sizeof *e->buckets);
    e->docs_mapped = e->docs_in_work = 0;
    e->lingering = NULL;
}

void docs_fini(struct engine *e)
{
    if (e->buckets) docs_drop_all(e);
    free(e->buckets);
    e->buckets = NULL;
}

void docs_drop_queued(struct engine *e)
{
    for (struct node *node; (node = lane_pop(&e->reads)) != NULL;) {
        struct doc *doc = (struct doc *)node;
        e->docs_in_work--;
        if (doc->dirty.cycle) worker_doc_done(e, true);
        if (doc->listed) {
            why_fini(&doc->dirty);
            doc->is_dirty = false;
            doc->state = DOC_LINGER;
            continue;
        }
        doc_unmap(e, doc);
        doc_free(e, doc);
    }
}

/* ---- becoming dirty ---- */

static void enqueue(struct engine *e, struct doc *doc)
{
    doc->state = DOC_QUEUED;
    lane_push(&e->reads, &doc->node);
}

bool doc_mark(struct engine *e, const struct docid *id, struct why *why)
{
    struct doc *doc = docs_find(e, id);
    if (doc && doc->state == DOC_LINGER) {
        e->docs_in_work++;
        why_move(&doc->dirty, why);
        doc->is_dirty = true;
        enqueue(e, doc);
        return true;
    }
    if (!doc) {
        doc = doc_new(e, id);
        if (!doc) {
            log_error("out of memory: a change waits for a restart", LOG_STR("source", e->config->source));
            why_fini(why);
            return false;
        }
        why_move(&doc->dirty, why);
        doc->is_dirty = true;
        enqueue(e, doc);
        return true;
    }
    if (doc->is_dirty) {
        why_merge(&doc->dirty, why);
    } else {
        why_move(&doc->dirty, why);
        doc->is_dirty = true;
    }
    return true;
}

void docs_mark_held(struct engine *e, struct watermark *until)
{
    for (size_t i = 0; i < e->bucket_count; i++)
        for (struct doc *doc = e->buckets[i]; doc; doc = doc->chain) {
            if (doc->state == DOC_LINGER) continue;
            struct why why = {.doubt = true, .only = e->config->errand.only};
            struct mark *mark = watermark_hold(until, NULL);
            if (!mark || !why_add_hold(&why, mark)) e->unknown = true;
            doc_mark(e, doc->id, &why);
        }
}

void doc_reading(struct doc *doc)
{
    doc->state = DOC_READING;
    why_move(&doc->work, &doc->dirty);
    doc->is_dirty = false;
}

void doc_unread(struct engine *e, struct doc *doc)
{
    if (doc->is_dirty) why_merge(&doc->work, &doc->dirty);
    why_move(&doc->dirty, &doc->work);
    doc->is_dirty = true;
    enqueue(e, doc);
}

/* ---- at work ---- */

void doc_begin(struct engine *e, struct doc *doc, struct source_doc *src)
{
    doc->src = *src;
    memset(src, 0, sizeof *src);
    doc->gone = doc->src.body == NULL;
    doc->state = DOC_WORKING;
    doc->begun_ms = now_ms(e);
    doc->bytes = doc->src.bytes;
    e->bytes_in_work += doc->bytes;
    e->stats.documents++;
    if (doc->gone) e->stats.gone++;
    if (doc->src.record.entry_count != e->collection_count) {
        record_fini(&doc->src.record);
        record_init(&doc->src.record, e->collection_count);
    }
    if (!doc->src.record.entries || !record_copy(&doc->after, &doc->src.record)) {
        log_error("out of memory: a document waits", LOG_STR("source", e->config->source),
                  LOG_STR("doc", doc->json));
        drop_contents(e, doc);
        doc_unread(e, doc);
        return;
    }
    if (doc->work.tomb_key) doc_add_freed(e, doc, doc->work.tomb_key);
    doc->parts_open = e->collection_count + 1; /* one for this loop: parts may settle on the spot */
    for (size_t i = 0; i < e->collection_count; i++) {
        struct part *part = &doc->parts[i];
        if (!doc->gone && doc->work.only && !(doc->work.only >> i & 1))
            doc_part_settled(e, doc);
        else
            part_start(e, part);
    }
    doc_part_settled(e, doc);
}

struct doc *doc_adopt(struct engine *e, struct source_doc *src, struct why *why)
{
    struct doc *doc = doc_new(e, src->id);
    if (!doc) {
        why_fini(why);
        return NULL;
    }
    why_move(&doc->work, why);
    doc_begin(e, doc, src);
    return doc;
}

void doc_add_freed(struct engine *e, struct doc *doc, const char *key)
{
    (void)e;
    if (!key) return;
    for (size_t i = 0; i < doc->freed_count; i++)
        if (strcmp(doc->freed[i], key) == 0) return;
    char **freed = realloc(doc->freed, (doc->freed_count + 1) * sizeof *freed);
    if (!freed) return;
    doc->freed = freed;
    freed[doc->freed_count] = strdup(key);
    if (freed[doc->freed_count]) doc->freed_count++;
}

static bool any_failed(const struct engine *e, const struct doc *doc)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (doc->parts[i].failed) return true;
    return false;
}

static bool any_wrote(const struct engine *e, const struct doc *doc)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (doc->parts[i].wrote) return true;
    return false;
}

/* The business id it holds, as far as its parts were made. */
static const char *key_of(const struct engine *e, const struct doc *doc)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (doc->parts[i].made.key) return doc->parts[i].made.key;
    return NULL;
}

/* Tells whoever asked for it what became of it. */
static void tell(struct engine *e, const struct doc *doc)
{
    struct engine_outcome outcomes[ENGINE_MAX_COLLECTIONS];
    for (size_t i = 0; i < e->collection_count; i++) {
        const struct part *part = &doc->parts[i];
        const struct entry *entry = i < doc->after.entry_count ? &doc->after.entries[i] : NULL;
        outcomes[i] = (struct engine_outcome){.asked = false};
        if (!doc->gone && doc->work.only && !(doc->work.only >> i & 1)) continue;
        outcomes[i] = (struct engine_outcome){.asked = true,
                                              .success = !part->failed,
                                              .action = part->action,
                                              .embedded = part->embedded,
                                              .duration_ms = part->settled_ms - doc->begun_ms};
        if (!part->failed || !entry) continue;
        outcomes[i].error = entry->error ? entry->error : LKS_E_UNKNOWN;
        outcomes[i].text = entry->last_error;
    }
    struct engine_touched touched = {.id = doc->id,
                                     .gone = doc->gone,
                                     .overall = record_overall(&doc->after),
                                     .outcomes = outcomes,
                                     .count = e->collection_count};
    e->config->on_touched(e->config->on_touched_self, &touched);
}

/* Tells that it is known what became of it: its record stands, or its tomb. */
static void tell_recorded(struct engine *e, const struct doc *doc)
{
    enum sync_status statuses[ENGINE_MAX_COLLECTIONS];
    size_t count = doc->gone ? 0 : doc->after.entry_count;
    if (!e->config->on_recorded) return;
    for (size_t i = 0; i < count; i++) statuses[i] = doc->after.entries[i].status;
    const char *key = key_of(e, doc);
    struct engine_recorded recorded = {.id = doc->id,
                                       .key = key ? key : doc->work.tomb_key,
                                       .gone = doc->gone,
                                       .overall = record_overall(&doc->after),
                                       .statuses = statuses,
                                       .count = count};
    e->config->on_recorded(e->config->on_recorded_self, &recorded);
}

static void finish(struct engine *e, struct doc *doc)
{
    if (doc->work.explicit_ask && e->config->on_touched) tell(e, doc);
    if (doc->gone || key_of(e, doc) || !doc->work.only) rivals_recheck(e, doc, key_of(e, doc));
    bool scanned = doc->work.scanned; /* the next page begins after it, so it needn't linger */
    if (doc->work.cycle) worker_doc_done(e, any_failed(e, doc));
    behind_done(e, doc);
    drop_contents(e, doc);
    release_holds(&doc->work);
    if (doc->is_dirty) {
        enqueue(e, doc);
        return;
    }
    e->docs_in_work--;
    if ((e->scan.requested && !scanned) || doc->listed) {
        if (!doc->listed) {
            doc->listed = true;
            doc->linger_next = e->lingering;
            e->lingering = doc;
        }
        doc->state = DOC_LINGER;
        return;
    }
    doc_unmap(e, doc);
    doc_free(e, doc);
}

/* What it was read for isn't done: all reasons stay, and it is read again, compared with the points
 * themselves. */
static void again(struct engine *e, struct doc *doc)
{
    doc->work.doubt = true;
    doc->work.scanned = false;
    drop_contents(e, doc);
    doc_unread(e, doc);
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool entry_same(const struct entry *a, const struct entry *b)
{
    return a->present == b->present && a->status == b->status && a->error == b->error &&
           a->retry_count == b->retry_count && a->last_synced_ms == b->last_synced_ms &&
           a->last_attempt_ms == b->last_attempt_ms && a->next_retry_ms == b->next_retry_ms &&
           a->vector_version == b->vector_version && strcmp(a->content_hash, b->content_hash) == 0 &&
           strcmp(a->payload_hash, b->payload_hash) == 0 && strcmp(a->point_id, b->point_id) == 0 &&
           same_text(a->last_error, b->last_error);
}

static bool record_changed(const struct doc *doc)
{
    for (size_t i = 0; i < doc->after.entry_count; i++)
        if (!entry_same(&doc->after.entries[i], &doc->src.record.entries[i])) return true;
    return false;
}

/* Hands the names of the changed fields over to the record. */
static void name_modified_fields(struct doc *doc)
{
    if (!doc->work.key_count) return;
    char **names = calloc(doc->work.key_count + 1, sizeof *names);
    if (!names) return;
    memcpy(names, doc->work.keys, doc->work.key_count * sizeof *names);
    free(doc->work.keys);
    doc->work.keys = NULL;
    doc->work.key_count = 0;
    for (char **old = doc->after.modified_fields; old && *old; old++)
        free(*old); /* as read: of an earlier change */
    free(doc->after.modified_fields);
    doc->after.modified_fields = names;
}

static int64_t tomb_keep_ms(const struct engine *e)
{
    return e->config->index_timeout_ms + e->config->lease_ms;
}

/* Its tomb has done its work: no request of an earlier writer can be under way, and nothing was found this
 * time. */
static bool tomb_is_over(struct engine *e, const struct doc *doc)
{
    int64_t keep = tomb_keep_ms(e) * (doc->work.tomb_key ? 3 : 1);
    return !any_failed(e, doc) && !any_wrote(e, doc) && doc->work.tomb_since_ms <= wall_ms(e) - keep;
}

static void settle(struct engine *e, struct doc *doc)
{
    if (doc->gone && !(doc->work.tomb && doc->work.tomb_alone)) { /* also over one of an earlier delete */
        doc->state = DOC_TOMB;
        lane_push(&e->tomb_puts, &doc->node);
    } else if (!doc->gone && record_changed(doc)) {
        name_modified_fields(doc);
        doc->state = DOC_RECORDING;
        lane_push(&e->records, &doc->node);
    } else if (doc->work.tomb && (!doc->gone || tomb_is_over(e, doc))) {
        doc->state = DOC_UNTOMB;
        lane_push(&e->tomb_drops, &doc->node);
    } else {
        finish(e, doc);
    }
}

void doc_part_settled(struct engine *e, struct doc *doc)
{
    if (--doc->parts_open > 0) return;
    if (doc->freed_count > 0) {
        doc->state = DOC_HOLDERS;
        lane_push(&e->holders, &doc->node);
    } else {
        settle(e, doc);
    }
}

void doc_holders_known(struct engine *e, struct doc *doc)
{
    settle(e, doc);
}

void doc_tomb_written(struct engine *e, struct doc *doc)
{
    tell_recorded(e, doc);
    finish(e, doc);
}

void doc_recorded(struct engine *e, struct doc *doc, enum lks_code code)
{
    switch (code) {
    case LKS_E_OK:
        e->stats.records++;
        tell_recorded(e, doc);
        /* A read that is no older than a change from before this write may still show the record of before.
         */
        if (doc->is_dirty) doc->dirty.doubt = true;
        if (doc->work.tomb) {
            doc->state = DOC_UNTOMB;
            lane_push(&e->tomb_drops, &doc->node);
            return;
        }
        finish(e, doc);
        return;
    case LKS_E_MISSED:
    case LKS_E_NOT_FOUND:
        e->stats.missed++;
        again(e, doc);
        return;
    default:
        log_error(
            "a document's record can't be written, not even beside it; its state is known to this run only",
            LOG_STR("source", e->config->source), LOG_STR("doc", doc->json));
        finish(e, doc);
    }
}

void doc_untombed(struct engine *e, struct doc *doc)
{
    finish(e, doc);
}

/* ---- when one collection is slow ---- */

static bool lane_idle(const struct lane *lane)
{
    return lane->queued == 0 && lane->in_flight == 0;
}

/* A collection other than the slow one that could work and has nothing to do. */
static bool somebody_starves(const struct engine *e, size_t slow_collection, size_t slow_embedder)
{
    for (size_t i = 0; i < e->collection_count; i++) {
        const struct collection_state *c = &e->collections[i];
        const struct lane *embed = &e->embedders[c->config->embedder].embed;
        if (i == slow_collection || c->config->embedder == slow_embedder) continue;
        if (lane_idle(&c->make) && lane_idle(&c->look) && lane_idle(&c->upsert) && lane_idle(&c->payload) &&
            lane_idle(&c->del) && lane_idle(embed))
            return true;
    }
    return false;
}

/* Puts aside the older half of what waits in a lane, where nothing else keeps the document. */
static void relieve_lane(struct engine *e, struct lane *lane)
{
    size_t most = lane->queued / 2 + 1;
    for (struct node *node = lane->head, *next; node && most > 0; node = next, most--) {
        next = node->next;
        struct part *part = (struct part *)node;
        if (part->doc->parts_open > 1) continue;
        lane_remove(node);
        part_park(e, part);
    }
}

void docs_relieve(struct engine *e)
{
    bool full = e->docs_in_work >= e->config->max_docs || e->bytes_in_work >= e->config->max_bytes;
    size_t many = e->config->max_docs / 4;
    if (!full) return;
    for (size_t i = 0; i < e->collection_count; i++) {
        struct collection_state *c = &e->collections[i];
        struct lane *lanes[] = {&c->make, &c->look, &c->upsert, &c->payload, &c->del};
        for (size_t k = 0; k < sizeof lanes / sizeof *lanes; k++)
            if (lanes[k]->queued > many && somebody_starves(e, i, SIZE_MAX)) relieve_lane(e, lanes[k]);
        struct lane *embed = &e->embedders[c->config->embedder].embed;
        if (embed->queued > many && somebody_starves(e, SIZE_MAX, c->config->embedder))
            relieve_lane(e, embed);
    }
}
