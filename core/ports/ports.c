/*
 * ports.c - making requests, and freeing them with all they own.
 *
 * It knows who owns which member (the comments in ports.h) and nothing of what requests mean.
 */
#include "ports/ports.h"

#include <stdlib.h>

static const char *const kind_names[REQ_KIND_COUNT] = {
    [REQ_STREAM_OPEN] = "stream_open",
    [REQ_STREAM_NEXT] = "stream_next",
    [REQ_READ] = "read",
    [REQ_SCAN] = "scan",
    [REQ_DUE] = "due",
    [REQ_DUPLICATES] = "holders",
    [REQ_COUNT_RECORDS] = "count-records",
    [REQ_ORPHAN_RECORDS] = "orphan_records",
    [REQ_RECORD] = "record",
    [REQ_STATE_LOAD] = "state_load",
    [REQ_STATE_SAVE] = "state_save",
    [REQ_TOMBSTONES_PUT] = "tombs_put",
    [REQ_TOMBSTONES_LIST] = "tombs_list",
    [REQ_TOMBSTONES_DROP] = "tombs_drop",
    [REQ_LEASE] = "lease",
    [REQ_MAKE] = "make",
    [REQ_EMBED] = "embed",
    [REQ_EMBED_PROBE] = "embed_probe",
    [REQ_ENSURE] = "ensure",
    [REQ_LOOKUP] = "lookup",
    [REQ_UPSERT] = "upsert",
    [REQ_DELETE] = "delete",
    [REQ_SCROLL] = "scroll",
    [REQ_COUNT] = "count",
    [REQ_EPOCHS] = "epochs",
};

const char *req_kind_name(enum req_kind kind)
{
    size_t at = (size_t)kind;
    return at < REQ_KIND_COUNT ? kind_names[at] : "unknown";
}

struct req *req_new(enum req_kind kind, void *context)
{
    struct req *req = calloc(1, sizeof *req);
    if (!req) return NULL;
    req->kind = kind;
    req->context = context;
    return req;
}

static void strings_free(char **strings)
{
    if (!strings) return;
    for (char **s = strings; *s; s++) free(*s);
    free(strings);
}

static void token_free(bson_t *token)
{
    if (token) bson_destroy(token);
}

void source_document_fini(struct source_document *doc)
{
    docid_free(doc->id);
    if (doc->body) bson_destroy(doc->body);
    record_fini(&doc->record);
    docid_free(doc->owner);
    *doc = (struct source_document){0};
}

void change_fini(struct change *change)
{
    docid_free(change->id);
    strings_free(change->keys);
    token_free(change->token);
    *change = (struct change){0};
}

int stamp_compare(const void *a, const void *b)
{
    return strcmp(((const struct stamp *)a)->point_id, ((const struct stamp *)b)->point_id);
}

void stamp_fini(struct stamp *w)
{
    free(w->vector);
    free(w->doc);
    free(w->key);
    *w = (struct stamp){0};
}

void tombstone_fini(struct tombstone *tombstone)
{
    docid_free(tombstone->id);
    free(tombstone->key);
    free(tombstone->owed.items);
    *tombstone = (struct tombstone){0};
}

void engine_state_fini(struct engine_state *state)
{
    token_free(state->token);
    docid_free(state->scan_after);
    strings_free(state->digests);
    free(state->held);
    strings_free(state->places);
    *state = (struct engine_state){0};
}

static void docs_free(struct source_document *docs, size_t count)
{
    for (size_t i = 0; docs && i < count; i++) source_document_fini(&docs[i]);
    free(docs);
}

static void ids_free(struct docid **ids, size_t count)
{
    for (size_t i = 0; ids && i < count; i++) docid_free(ids[i]);
    free(ids);
}

static void stamps_free(struct stamp *found, size_t count)
{
    for (size_t i = 0; found && i < count; i++) stamp_fini(&found[i]);
    free(found);
}

/* The source's requests. */
static void source_fini(struct req *req)
{
    switch (req->kind) {
    case REQ_STREAM_NEXT:
        for (size_t i = 0; req->stream_next.changes && i < req->stream_next.change_count; i++)
            change_fini(&req->stream_next.changes[i]);
        free(req->stream_next.changes);
        token_free(req->stream_next.token);
        break;
    case REQ_READ:
        free(req->read.ids);
        docs_free(req->read.docs, req->read.count);
        break;
    case REQ_SCAN:
        docs_free(req->scan.docs, req->scan.count);
        break;
    case REQ_DUE:
        ids_free(req->due.ids, req->due.count);
        break;
    case REQ_DUPLICATES:
        free(req->duplicates.keys);
        ids_free(req->duplicates.ids, req->duplicates.id_count);
        break;
    case REQ_COUNT_RECORDS:
        free(req->record_counts.with_point);
        break;
    case REQ_ORPHAN_RECORDS:
        ids_free(req->orphan_records.ids, req->orphan_records.count);
        docid_free(req->orphan_records.from);
        docid_free(req->orphan_records.next);
        break;
    default: /* REQ_STREAM_OPEN owns nothing */
        break;
    }
}

/* The store's requests. */
static void store_fini(struct req *req)
{
    switch (req->kind) {
    case REQ_RECORD:
        free(req->record.writes);
        break;
    case REQ_STATE_LOAD:
        engine_state_fini(&req->state_load.state);
        break;
    case REQ_STATE_SAVE:
        engine_state_fini(&req->state_save.state);
        break;
    case REQ_TOMBSTONES_PUT:
    case REQ_TOMBSTONES_LIST:
    case REQ_TOMBSTONES_DROP:
        for (size_t i = 0; req->tombstones.tombstones && i < req->tombstones.count; i++)
            tombstone_fini(&req->tombstones.tombstones[i]);
        free(req->tombstones.tombstones);
        docid_free(req->tombstones.from);
        break;
    case REQ_LEASE:
        free(req->lease.lease_holder);
        break;
    default:
        break;
    }
}

static void embed_fini(struct req *req)
{
    for (size_t i = 0; i < req->embed.count; i++) {
        if (req->embed.vectors) free(req->embed.vectors[i]);
        if (req->embed.errors) free(req->embed.errors[i]);
    }
    free(req->embed.vectors);
    free(req->embed.errors);
    free(req->embed.texts);
    free((void *)req->embed.text_bytes);
    free((void *)req->embed.fresh);
}

/* The requests of maker and embedder. */
static void maker_fini(struct req *req)
{
    switch (req->kind) {
    case REQ_MAKE:
        free(req->make.docs);
        for (size_t i = 0; req->make.made && i < req->make.count; i++) made_fini(&req->make.made[i]);
        free(req->make.made);
        break;
    case REQ_EMBED:
        embed_fini(req);
        break;
    default: /* REQ_EMBED_PROBE owns nothing */
        break;
    }
}

/* The index's requests. */
static void index_fini(struct req *req)
{
    switch (req->kind) {
    case REQ_LOOKUP:
        free(req->lookup.point_ids);
        free(req->lookup.docs);
        stamps_free(req->lookup.found, req->lookup.found_count);
        break;
    case REQ_UPSERT:
        for (size_t i = 0; req->write.points && i < req->write.count; i++) free(req->write.points[i].error);
        free(req->write.points);
        break;
    case REQ_DELETE:
        free(req->del.point_ids);
        break;
    case REQ_SCROLL:
        stamps_free(req->scroll.found, req->scroll.found_count);
        break;
    default: /* REQ_ENSURE, REQ_COUNT and REQ_EPOCHS own nothing */
        break;
    }
}

void req_free(struct req *req)
{
    if (!req) return;
    if (req->kind < REQ_RECORD)
        source_fini(req);
    else if (req->kind < REQ_MAKE)
        store_fini(req);
    else if (req->kind < REQ_ENSURE)
        maker_fini(req);
    else
        index_fini(req);
    free(req);
}
