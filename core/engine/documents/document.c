/*
 * document.c - the life of one document in work: its parts begin, and when all of them are settled, what
 * follows is written down: record, tombstone, or nothing.
 *
 * Never talks to a port; it puts the document into queues, and io/ empties those.
 */
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "base/log.h"
#include "engine/documents/documents.h"

void document_begin(struct engine *e, struct document *doc, struct source_document *src)
{
    doc->src = *src;
    memset(src, 0, sizeof *src);
    doc->gone = doc->src.body == NULL;
    document_move(doc, DOCUMENT_WORKING);
    doc->begun_ms = now_ms(e);
    doc->bytes = doc->src.bytes;
    e->bytes_in_work += doc->bytes;
    e->no_documents = false; /* one that is gone was there */
    e->stats.documents++;
    if (doc->gone) e->stats.gone++;
    if (doc->src.record.entry_count != e->collection_count) {
        record_fini(&doc->src.record);
        record_init(&doc->src.record, e->collection_count);
    }
    if (!doc->src.record.entries || !record_copy(&doc->after, &doc->src.record)) {
        log_error("out of memory: a document waits", LOG_STR("source", e->config->source),
                  LOG_STR("doc", doc->json));
        document_drop_contents(e, doc);
        document_unread(e, doc);
        return;
    }
    if (doc->work.tombstone_key) document_add_freed(e, doc, doc->work.tombstone_key);
    if (doc->gone || !doc->src.record.present) doc->work.names_only = false;
    doc->targets_open = e->collection_count + 1; /* one for this loop: parts may settle on the spot */
    for (size_t i = 0; i < e->collection_count; i++) {
        struct target *target = &doc->targets[i];
        bool left_out = doc->work.names_only || (doc->work.only && !(doc->work.only >> i & 1));
        if (!doc->gone && (left_out || (owed_leave(target) && !refused_is(e, doc))))
            document_count_settled(e, doc);
        else
            target_start(e, target);
    }
    document_count_settled(e, doc);
}

struct document *document_adopt(struct engine *e, struct source_document *src, struct dirty_reason *reason)
{
    struct document *doc = document_new(e, src->id);
    if (!doc) return NULL;
    dirty_reason_move(&doc->work, reason);
    doc->scan = e->facts.scan;
    document_begin(e, doc, src);
    return doc;
}

static bool any_failed(const struct engine *e, const struct document *doc)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (doc->targets[i].failed) return true;
    return false;
}

static bool any_wrote(const struct engine *e, const struct document *doc)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (doc->targets[i].wrote) return true;
    return false;
}

/* The business id it holds, as far as its parts were made. */
static const char *key_of(const struct engine *e, const struct document *doc)
{
    for (size_t i = 0; i < e->collection_count; i++)
        if (doc->targets[i].made.key) return doc->targets[i].made.key;
    return NULL;
}

/* Reports the outcome to the caller of engine_resync(). */
static void notify(struct engine *e, const struct document *doc)
{
    struct engine_outcome outcomes[ENGINE_MAX_COLLECTIONS];
    for (size_t i = 0; i < e->collection_count; i++) {
        const struct target *target = &doc->targets[i];
        const struct entry *entry = i < doc->after.entry_count ? &doc->after.entries[i] : NULL;
        outcomes[i] = (struct engine_outcome){.asked = false};
        if (!doc->gone && doc->work.only && !(doc->work.only >> i & 1)) continue;
        outcomes[i] = (struct engine_outcome){.asked = true,
                                              .success = !target->failed,
                                              .action = target->action,
                                              .embedded = target->embedded,
                                              .duration_ms = target->settled_ms - doc->begun_ms};
        if (!target->failed || !entry) continue;
        outcomes[i].error = entry->error ? entry->error : LKS_E_UNKNOWN;
        outcomes[i].text = entry->last_error;
    }
    struct engine_resynced resynced = {.id = doc->id,
                                       .gone = doc->gone,
                                       .overall = record_overall(&doc->after),
                                       .outcomes = outcomes,
                                       .count = e->collection_count};
    e->config->on_resynced(e->config->on_resynced_self, &resynced);
}

/* Reports that the outcome is durable: the record is written, or the tombstone. */
static void notify_recorded(struct engine *e, const struct document *doc)
{
    enum sync_status statuses[ENGINE_MAX_COLLECTIONS];
    size_t count = doc->gone ? 0 : doc->after.entry_count;
    if (!e->config->on_recorded) return;
    for (size_t i = 0; i < count; i++) statuses[i] = doc->after.entries[i].status;
    const char *key = key_of(e, doc);
    struct engine_recorded recorded = {.id = doc->id,
                                       .key = key ? key : doc->work.tombstone_key,
                                       .gone = doc->gone,
                                       .overall = record_overall(&doc->after),
                                       .statuses = statuses,
                                       .count = count};
    e->config->on_recorded(e->config->on_recorded_self, &recorded);
}

static void finish(struct engine *e, struct document *doc)
{
    doc->attempts = 0;
    if (doc->work.explicit_ask && e->config->on_resynced) notify(e, doc);
    bool names_only = doc->work.names_only;
    if (doc->gone || key_of(e, doc) || (!doc->work.only && !names_only))
        duplicate_ids_recheck(e, doc, key_of(e, doc));
    bool scanned = doc->work.scanned;
    if (doc->work.cycle) document_cycle_done(e, any_failed(e, doc));
    if (!names_only) lag_document_done(e, doc);
    document_drop_contents(e, doc);
    dirty_reason_release(&doc->work);
    document_table_release(e, doc, scanned);
}

/* What it was read for isn't done: all reasons stay, and it is read again, compared with the points
 * themselves. */
static void again(struct engine *e, struct document *doc)
{
    doc->work.verify_points |= !doc->work.names_only;
    doc->work.scanned = false;
    document_drop_contents(e, doc);
    document_unread(e, doc);
    document_defer(e, doc, &e->reads);
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

static bool record_changed(const struct document *doc)
{
    if (doc->src.record.contradicts) return true;
    for (size_t i = 0; i < doc->after.entry_count; i++)
        if (!entry_same(&doc->after.entries[i], &doc->src.record.entries[i])) return true;
    return false;
}

/* Its lastModifiedFields are others. Of a record that is not there yet that alone is no reason to write it.
 */
static bool names_changed(const struct document *doc)
{
    return doc->work.key_count && doc->src.record.present &&
           record_names_hash(doc->work.keys) != doc->src.record.modified_hash;
}

/* Gives the record the names of the changed fields. They stay with the reasons, as it may be written again.
 */
static void name_modified_fields(struct document *doc)
{
    size_t count = doc->work.key_count;
    if (!count) return;
    char **names = calloc(count + 1, sizeof *names);
    bool good = names != NULL;
    for (size_t i = 0; i < count && good; i++) good = (names[i] = strdup(doc->work.keys[i])) != NULL;
    if (good) {
        char **old = doc->after.modified_fields; /* as read: of an earlier change */
        doc->after.modified_fields = names;
        names = old;
    }
    for (size_t i = 0; names && names[i]; i++) free(names[i]);
    free(names);
}

/* Its tombstone has done its work: no request of an earlier writer can be under way, and nothing was found
 * this time. */
static bool tombstone_is_over(struct engine *e, const struct document *doc)
{
    return !any_failed(e, doc) && !any_wrote(e, doc) && !doc->work.owed.count &&
           tombstone_is_due(e, &doc->work);
}

/* A tombstone is put for a delete, also over one of an earlier delete; and once more, for another such time,
 * if its own was over and there was something to do. */
static bool needs_tombstone(struct engine *e, const struct document *doc)
{
    bool own = doc->work.tombstone && doc->work.tombstone_alone;
    return doc->gone && (!own || (tombstone_is_due(e, &doc->work) && !tombstone_is_over(e, doc)));
}

static void wait_for(struct document *doc, enum document_state state, struct batch_queue *queue)
{
    document_move(doc, state);
    batch_queue_push(queue, &doc->node);
}

/* What the document was looked at for is recorded: its tombstone goes, or is put for later, as it still owes
 * points. */
static void end_tombstone(struct engine *e, struct document *doc)
{
    if (doc->work.tombstone && !doc->gone && doc->work.owed.count) {
        wait_for(doc, DOCUMENT_PUT_TOMBSTONE, &e->tombstone_puts);
    } else if (doc->work.tombstone && (!doc->gone || tombstone_is_over(e, doc))) {
        wait_for(doc, DOCUMENT_DROP_TOMBSTONE, &e->tombstone_drops);
    } else {
        finish(e, doc);
    }
}

static void settle(struct engine *e, struct document *doc)
{
    if (needs_tombstone(e, doc)) {
        wait_for(doc, DOCUMENT_PUT_TOMBSTONE, &e->tombstone_puts);
    } else if (!doc->gone && (record_changed(doc) || names_changed(doc))) {
        name_modified_fields(doc);
        wait_for(doc, DOCUMENT_RECORDING, &e->records);
    } else {
        end_tombstone(e, doc);
    }
}

/* All its targets are settled. */
static void all_settled(struct engine *e, struct document *doc)
{
    invariant(doc->state == DOCUMENT_WORKING && !doc->targets_open,
              "only the last settled target ends the work");
    if (doc->freed_count > 0) {
        wait_for(doc, DOCUMENT_DUPLICATES, &e->duplicates);
    } else {
        settle(e, doc);
    }
}

void documents_step(struct engine *e)
{
    struct node *node;
    do {
        while ((node = batch_queue_pop(&e->granted)) != NULL)
            target_point_lock_granted(e, (struct target *)node);
        if ((node = batch_queue_pop(&e->settled)) != NULL) all_settled(e, (struct document *)node);
    } while (node);
}

void document_duplicates_known(struct engine *e, struct document *doc)
{
    settle(e, doc);
}

void document_tombstone_written(struct engine *e, struct document *doc)
{
    if (doc->refused)
        refused_note(e, doc);
    else
        refused_forget(e, doc);
    if (doc->gone) notify_recorded(e, doc); /* else its record was reported */
    finish(e, doc);
}

void document_recorded(struct engine *e, struct document *doc, enum lks_code code)
{
    switch (code) {
    case LKS_E_OK:
        e->stats.records++;
        if (!doc->work.names_only) {
            refused_forget(e, doc);
            notify_recorded(e, doc);
        }
        /* A read that is no older than a change from before this write may still show the record of before.
         */
        if (doc->is_dirty && !doc->work.names_only) doc->dirty.verify_points = true;
        end_tombstone(e, doc);
        return;
    case LKS_E_MISSED:
    case LKS_E_NOT_FOUND:
        e->stats.missed++;
        again(e, doc);
        return;
    default:
        if (doc->work.names_only) { /* which are for people */
            finish(e, doc);
            return;
        }
        /* the position may pass once it is written down that somebody has to come back */
        doc->refused = true;
        wait_for(doc, DOCUMENT_PUT_TOMBSTONE, &e->tombstone_puts);
    }
}

void document_tombstone_dropped(struct engine *e, struct document *doc)
{
    refused_forget(e, doc);
    finish(e, doc);
}
