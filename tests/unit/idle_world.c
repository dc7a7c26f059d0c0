/* idle_world.c - see idle_world.h. */
#include "idle_world.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE 3000 /* rounds of 10 virtual milliseconds */

static void submit(void *self, struct req *req)
{
    struct idle_world *w = self;
    struct req **end = &w->asked;
    while (*end) end = &(*end)->next;
    req->next = NULL;
    *end = req;
}

static int64_t now_ms(void *self)
{
    return ((struct idle_world *)self)->now_ms;
}

static uint64_t random_bits(void *self)
{
    (void)self;
    return 4;
}

void idle_answer(struct idle_world *w, struct req *req)
{
    switch (req->kind) {
    case REQ_LEASE:
        req->lease.held = req->lease.op != LEASE_RELEASE;
        req->lease.epoch = 7;
        req->lease.previous_expired = w->takes_over;
        w->given_back += req->lease.op == LEASE_RELEASE;
        break;
    case REQ_STATE_LOAD:
        req->state_load.state = (struct engine_state){.token = bson_new(), .clean = true};
        break;
    case REQ_EMBED_PROBE:
        req->embed_probe.dimensions = 4;
        break;
    case REQ_STREAM_OPEN:
        req->stream_open.opened_at = req->stream_open.now = 1;
        break;
    case REQ_READ:
        req->read.docs = calloc(req->read.count, sizeof *req->read.docs);
        for (size_t i = 0; i < req->read.count; i++)
            if (!(req->read.docs[i].id = docid_copy(req->read.ids[i])))
                lks_fail(&req->err, LKS_E_NOMEM, "out of memory");
        break;
    case REQ_SCAN:
        req->scan.end = true;
        break;
    case REQ_DUE:
        req->due.end = true;
        req->due.next_ms = NO_TIME;
        break;
    case REQ_COUNT_RECORDS:
        req->record_counts.with_point = calloc(ENGINE_MAX_COLLECTIONS, sizeof *req->record_counts.with_point);
        break;
    default: /* nothing is there: zero says it */
        break;
    }
}

struct docid *idle_id(int number)
{
    bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_INT32(&doc, "_id", number);
    struct docid *id = docid_of(&doc);
    bson_destroy(&doc);
    ck_assert_ptr_nonnull(id);
    return id;
}

void idle_notify(struct req *req, enum change_op op, int number)
{
    req->stream_next.changes = calloc(1, sizeof *req->stream_next.changes);
    ck_assert_ptr_nonnull(req->stream_next.changes);
    req->stream_next.changes[0] =
        (struct change){.op = op, .id = idle_id(number), .token = bson_new(), .at = 2, .wall_ms = 1};
    req->stream_next.change_count = 1;
}

void idle_synced(struct source_document *doc)
{
    doc->body = bson_new();
    ck_assert(record_init(&doc->record, 1));
    doc->record.present = doc->record.entries[0].present = true;
    doc->record.entries[0].status = SYNC_SYNCED;
}

void idle_made(struct req *req)
{
    req->make.made = calloc(req->make.count, sizeof *req->make.made);
    ck_assert_ptr_nonnull(req->make.made);
}

void idle_point(struct made *made, const char *point_id)
{
    *made = (struct made){.kind = MADE_POINT,
                          .text = strdup("text"),
                          .text_bytes = 4,
                          .payload = strdup("{}"),
                          .payload_bytes = 2,
                          .key = strdup("key")};
    memcpy(made->point_id, point_id, sizeof made->point_id);
}

void idle_embedded(struct req *req)
{
    req->embed.vectors = calloc(req->embed.count, sizeof *req->embed.vectors);
    req->embed.errors = calloc(req->embed.count, sizeof *req->embed.errors);
    ck_assert(req->embed.vectors && req->embed.errors);
}

bool idle_step(struct idle_world *w, struct engine *e)
{
    engine_run(e);
    struct req *req = w->asked;
    w->now_ms += 10;
    if (!req) return false;
    w->asked = req->next;
    req->next = NULL;
    if (req->kind == REQ_SCAN && !req->scan.from)
        (*(req->scan.recent_only ? &w->recent_scans : &w->full_scans))++;
    (w->answer ? w->answer : idle_answer)(w, req);
    engine_handle(e, req);
    w->answered++;
    return true;
}

static const char *const embedder = "e";
static const struct engine_collection collection = {.name = "tools", .digest = "d"};

void idle_configure(struct engine_config *config)
{
    engine_config_defaults(config);
    config->source = "tools";
    config->collections = &collection;
    config->collection_count = 1;
    config->embedders = &embedder;
    config->embedder_count = 1;
    config->lease_ms = 10000;
    config->index_timeout_ms = 1000;
    config->interval_ms = 60000;
}

struct engine *idle_engine(struct idle_world *w, const struct engine_config *config)
{
    const struct port port = {w, submit};
    const struct ports ports = {.source = port,
                                .store = port,
                                .maker = port,
                                .embedder = port,
                                .index = port,
                                .clock = {w, now_ms, now_ms, random_bits}};
    struct engine *e = engine_new(config, &ports);
    ck_assert_ptr_nonnull(e);
    return e;
}

void idle_put_off(struct idle_world *w, enum req_kind kind)
{
    struct req *req = w->asked, **end = &w->asked;
    if (!req || req->kind != kind || !req->next) return;
    w->asked = req->next;
    req->next = NULL;
    while (*end) end = &(*end)->next;
    *end = req;
}

void idle_end(struct idle_world *w, struct engine *e)
{
    engine_run(e); /* what it asks for now is under way when it is asked to stop */
    engine_stop(e);
    for (int i = 0; i < PATIENCE && !engine_done(e); i++) idle_step(w, e);
    ck_assert_msg(engine_done(e), "stopped after %zu answers, it is in phase %d", w->answered,
                  engine_phase(e));
    engine_free(e);
}
