/*
 * test_memory.c - memory is out once, at each allocation that something needs: a change is told of all the
 * same, each document is looked at, each text has an outcome. What tests/fault/torture found, kept found.
 *
 * Only what happens between torture_arm() and torture_disarm() is counted; tests make their requests before.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json_memory.h"
#include "base/queue.h"
#include "embed/embed.h"
#include "engine/engine.h"
#include "fault/torture.h"
#include "qdrant/verdict.h"
#include "service/documents_json.h"
#include "service/search.h"
#include "unit/idle_world.h"
#include "unit/mongo_fixture.h"
#include "unit/suite.h"

#define MOST 3000 /* allocations, of which there have to be fewer */

static struct docid *numbered(int number)
{
    bson_t doc = BSON_INITIALIZER;
    BSON_APPEND_INT32(&doc, "_id", number);
    struct docid *id = docid_of(&doc);
    bson_destroy(&doc);
    ck_assert_ptr_nonnull(id);
    return id;
}

/* ---- the engine: two documents to scan, then three deletes ---- */

#define SCANNED 2
#define CHANGES 3
#define PATIENCE 4000 /* steps of 10 virtual milliseconds */

struct small_world {
    struct idle_world idle; /* answers what this one has nothing to say about */
    int told;               /* changes that the stream has brought */
    bool made[SCANNED], read[CHANGES];
    bool all_saved; /* the position behind the last change */
};

static bson_t *token_of(int number)
{
    bson_t *token = bson_new();
    BSON_APPEND_INT32(token, "n", number);
    return token;
}

static void answer_open(struct small_world *w, struct req *req)
{
    bson_iter_t n;
    bool resumed = req->stream_open.token && bson_iter_init_find(&n, req->stream_open.token, "n");
    w->told = resumed ? bson_iter_int32(&n) : 0;
    req->stream_open.opened_at = req->stream_open.now = 1;
    req->stream_open.proven = true;
}

static void answer_next(struct small_world *w, struct req *req)
{
    size_t count = (size_t)(CHANGES - w->told);
    req->stream_next.proven = true;
    if (!count) return;
    req->stream_next.changes = calloc(count, sizeof *req->stream_next.changes);
    ck_assert_ptr_nonnull(req->stream_next.changes);
    for (size_t i = 0; i < count; i++) {
        req->stream_next.changes[i] = (struct change){.op = CHANGE_DELETE,
                                                      .id = numbered(10 + w->told),
                                                      .token = token_of(w->told + 1),
                                                      .at = (cluster_time)(2 + w->told)};
        w->told++;
    }
    req->stream_next.change_count = count;
}

static void answer_scan(struct req *req)
{
    req->scan.end = true;
    req->scan.docs = calloc(SCANNED, sizeof *req->scan.docs);
    ck_assert_ptr_nonnull(req->scan.docs);
    for (int i = 0; i < SCANNED; i++) {
        struct docid *id = numbered(i);
        if (req->scan.from && docid_compare(id, req->scan.from) <= 0) {
            docid_free(id);
            continue;
        }
        req->scan.docs[req->scan.count++] = (struct source_doc){.id = id, .body = bson_new(), .bytes = 1};
    }
}

static void note(const struct docid *id, int first, bool *seen, int count)
{
    for (int i = 0; i < count; i++) {
        struct docid *wanted = numbered(first + i);
        if (docid_equal(id, wanted)) seen[i] = true;
        docid_free(wanted);
    }
}

static void answer_read(struct small_world *w, struct req *req)
{
    req->read.docs = calloc(req->read.count, sizeof *req->read.docs);
    ck_assert_ptr_nonnull(req->read.docs);
    for (size_t i = 0; i < req->read.count; i++) {
        req->read.docs[i].id = docid_copy(req->read.ids[i]);
        bool scanned[SCANNED] = {false};
        note(req->read.ids[i], 0, scanned, SCANNED);
        note(req->read.ids[i], 10, w->read, CHANGES);
        for (int k = 0; k < SCANNED; k++)
            if (scanned[k]) req->read.docs[i].body = bson_new();
    }
}

static void answer(struct small_world *w, struct req *req)
{
    bson_iter_t n;
    switch (req->kind) {
    case REQ_STATE_LOAD:
        req->state_load.state = (struct engine_state){.token = token_of(0), .scan_running = true};
        break;
    case REQ_STATE_SAVE:
        if (req->state_save.state.token && bson_iter_init_find(&n, req->state_save.state.token, "n") &&
            bson_iter_int32(&n) == CHANGES)
            w->all_saved = true;
        break;
    case REQ_STREAM_OPEN:
        answer_open(w, req);
        break;
    case REQ_STREAM_NEXT:
        answer_next(w, req);
        break;
    case REQ_SCAN:
        answer_scan(req);
        break;
    case REQ_READ:
        answer_read(w, req);
        break;
    case REQ_MAKE:
        req->make.made = calloc(req->make.count, sizeof *req->make.made);
        ck_assert_ptr_nonnull(req->make.made);
        for (size_t i = 0; i < req->make.count; i++) {
            req->make.made[i].kind = MADE_NOTHING;
            note(req->make.docs[i]->id, 0, w->made, SCANNED);
        }
        break;
    case REQ_RECORD: /* one that failed is written down, and its time comes */
        for (size_t i = 0; i < req->record.count; i++)
            if (req->record.writes[i].after->entries[0].status == SYNC_FAILED)
                note(req->record.writes[i].id, 0, w->made, SCANNED);
        break;
    default:
        idle_answer(&w->idle, req);
    }
}

static bool everything_seen(const struct small_world *w)
{
    bool all = w->all_saved;
    for (int i = 0; i < SCANNED; i++) all &= w->made[i];
    for (int i = 0; i < CHANGES; i++) all &= w->read[i];
    return all;
}

static void step(struct small_world *w, struct engine *e)
{
    torture_pause(false);
    engine_run(e);
    torture_pause(true);
    struct req *req = w->idle.asked;
    w->idle.now_ms += 10;
    if (!req) return;
    w->idle.asked = req->next;
    req->next = NULL;
    answer(w, req);
    torture_pause(false);
    engine_handle(e, req);
    torture_pause(true);
}

/* A life in which the n-th allocation fails. True if it did. */
static bool live_without(long n)
{
    struct small_world w = {.idle = {.now_ms = 1000}};
    struct engine_config config;
    idle_configure(&config);
    config.interval_ms = 5000;
    struct engine *e = idle_engine(&w.idle, &config);
    torture_arm(TORTURE_ALLOCATION, n);
    for (int i = 0; i < PATIENCE && !everything_seen(&w); i++) step(&w, e);
    bool struck = torture_disarm();
    ck_assert_msg(everything_seen(&w),
                  "without allocation %ld: documents %d%d made, %d%d%d read, position %s", n, w.made[0],
                  w.made[1], w.read[0], w.read[1], w.read[2], w.all_saved ? "saved" : "kept");
    engine_stop(e);
    for (int i = 0; i < PATIENCE && !engine_done(e); i++) step(&w, e);
    ck_assert_msg(engine_done(e), "without allocation %ld it never ends", n);
    engine_free(e);
    return struck;
}

START_TEST(the_engine_looks_at_every_document_all_the_same)
{
    long n = 1;
    while (n < MOST && live_without(n)) n++;
    ck_assert_int_gt(n, 50);
    ck_assert_int_lt(n, MOST);
}
END_TEST

/* ---- the stream of MongoDB ---- */

static struct fixture f;

static struct req *run_without(struct req *req, long n, bool *struck)
{
    torture_arm(TORTURE_ALLOCATION, n);
    torture_pause(true); /* here; not in the adapter's threads */
    req = fixture_run(&f, req);
    *struck = torture_disarm();
    return req;
}

static void open_stream(const bson_t *token)
{
    struct req *req = req_new(REQ_STREAM_OPEN, NULL);
    req->stream_open.token = token;
    req_free(fixture_ok(&f, req));
}

/* True if the change of this document is among those that came; *token is then the newest. */
static bool brings(struct req *req, int number, bson_t **token)
{
    struct docid *id = numbered(number);
    bool found = false;
    for (size_t i = 0; i < req->stream_next.change_count; i++) {
        struct change *change = &req->stream_next.changes[i];
        found |= docid_equal(change->id, id);
        if (*token) bson_destroy(*token);
        *token = bson_copy(change->token);
    }
    docid_free(id);
    return found;
}

/* The n-th allocation fails while the stream brings a change: it is told of, or the request fails and the
 * stream, opened again, tells of it. */
static bool stream_without(int n, bson_t **token)
{
    char text[40];
    bool struck = false, found = false;
    snprintf(text, sizeof text, "{'_id':%d,'name':'x'}", n);
    fixture_insert(&f, "c", text);
    snprintf(text, sizeof text, "%d", n);
    for (int tries = 0; tries < 20 && !found; tries++) {
        struct req *req = req_new(REQ_STREAM_NEXT, NULL);
        req->stream_next.max_events = 100;
        req->stream_next.wait_ms = 300;
        bool armed = !struck;
        req = run_without(req, armed ? n : MOST, armed ? &struck : &(bool){false});
        found = brings(req, n, token);
        ck_assert_msg(!req->err.code || struck, "%s", req->err.text);
        if (req->err.code && !found) open_stream(*token);
        req_free(req);
    }
    ck_assert_msg(found, "without allocation %d the change is never told of", n);
    return struck;
}

START_TEST(a_change_is_told_of_or_the_request_fails)
{
    bson_t *token = NULL;
    fixture_start(&f, 0, NULL);
    fixture_open(&f);
    open_stream(NULL);
    stream_without(0, &token); /* fails nothing: a first token */
    int n = 1;
    while (n < MOST && stream_without(n, &token)) n++;
    ck_assert_int_gt(n, 2);
    ck_assert_int_lt(n, MOST);
    if (token) bson_destroy(token);
    fixture_end(&f);
}
END_TEST

/* ---- hashes: what fails while OpenSSL is set up is not failed for ever ---- */

START_TEST(a_hash_that_failed_can_be_had_the_next_time)
{
    const struct hash_span span = {"abc", 3};
    char before[SHA256_HEX_BYTES], after[SHA256_HEX_BYTES];
    torture_arm(TORTURE_CALL, _i);
    bool had = hash_sha256_hex(&span, 1, before);
    ck_assert(torture_disarm());
    ck_assert(hash_sha256_hex(&span, 1, after));
    ck_assert_int_eq(strncmp(after, "ba7816bf", 8), 0);
    if (had) ck_assert_str_eq(before, after);
}
END_TEST

/* ---- what Qdrant refused ---- */

START_TEST(a_refusal_that_cannot_be_read_is_not_taken_for_another)
{
    static const char reply[] = "{\"status\":{\"error\":\"Not found: Collection `x` doesn't exist!\"}}";
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        struct http_call call = {.status = 404, .reply = {.data = (char *)reply, .bytes = sizeof reply - 1}};
        struct verdict v;
        torture_arm(TORTURE_ALLOCATION, n);
        verdict_read(&v, &call, "look", NULL);
        struck = torture_disarm();
        ck_assert_int_eq(v.code, struck ? LKS_E_NOMEM : LKS_E_NOT_FOUND);
        ck_assert_int_eq(v.err.code, v.code);
    }
    ck_assert_int_gt(n, 2);
}
END_TEST

/* ---- the API: a filter or a document is whole, or there is none ---- */

START_TEST(a_filter_that_cannot_be_made_lets_nothing_through)
{
    const char *const terms[] = {"a:x", "b:true", "a:2"};
    char *whole = NULL;
    struct lks_err err;
    ck_assert_int_eq(search_filter(terms, 3, &whole, &err), LKS_E_OK);
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        char *filter = NULL;
        torture_arm(TORTURE_ALLOCATION, n);
        enum lks_code code = search_filter(terms, 3, &filter, &err);
        struck = torture_disarm();
        if (code)
            ck_assert_int_eq(code, LKS_E_NOMEM);
        else
            ck_assert_str_eq(filter, whole);
        free(filter);
    }
    ck_assert_int_gt(n, 20);
    free(whole);
}
END_TEST

START_TEST(a_patch_that_cannot_be_read_changes_nothing)
{
    bson_t *body = fixture_doc("{'a':5.0,'b':{'$date':'2026-01-01T00:00:00Z'},'c':{'d':1}}");
    json_t *patch = json_loads("{\"a\":5,\"b\":\"2026-01-01T00:00:00.000Z\",\"c\":{\"d\":1}}", 0, NULL);
    json_t *shown = document_json(body);
    ck_assert(patch && shown);
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        struct document_patch merged;
        (void)json_memory_was_out(); /* as before each answer */
        torture_arm(TORTURE_ALLOCATION, n);
        bool ok = document_merge(body, patch, &merged);
        bool missed = torture_disarm();
        ck_assert(ok || missed);
        ck_assert(!ok || (bson_empty(&merged.set) && bson_empty(&merged.unset)));
        document_patch_fini(&merged);
        torture_arm(TORTURE_ALLOCATION, n);
        json_t *again = document_json(body);
        struck = torture_disarm() || missed;
        ck_assert(!again || json_equal(again, shown));
        json_decref(again);
    }
    ck_assert_int_gt(n, 5);
    json_decref(patch);
    json_decref(shown);
    bson_destroy(body);
}
END_TEST

/* ---- texts, one of which the server refuses ---- */

#define TEXTS 6
#define POISON 3

static struct queue inbox;

static void come_back(void *self, struct req *req)
{
    queue_push(self, req);
}

static void poison(struct http *http, const char *address)
{
    static const char rule[] = "{\"text\": \"poison\", \"count\": 0, \"status\": 400, \"body\": {\"error\": "
                               "{\"message\": \"maximum context length exceeded\"}}}";
    char url[200];
    snprintf(url, sizeof url, "http://%s/__double/faults", address);
    const struct http_header headers[] = {{"Content-Type", "application/json"}};
    struct http_call call = {.method = "POST",
                             .url = url,
                             .headers = headers,
                             .header_count = 1,
                             .body = rule,
                             .body_bytes = sizeof rule - 1,
                             .timeout_ms = 10000};
    ck_assert_int_eq(http_perform(http, &call), HTTP_OK);
    ck_assert_int_eq(call.status, 200);
    http_call_fini(&call);
}

static bool embed_without(struct embedders *embedders, int n)
{
    static char texts[TEXTS][40];
    struct port port = embed_port(embedders);
    struct req *req = req_new(REQ_EMBED, NULL);
    size_t *bytes = calloc(TEXTS, sizeof *bytes);
    req->embed.texts = calloc(TEXTS, sizeof *req->embed.texts);
    ck_assert(req->embed.texts && bytes);
    req->embed.count = TEXTS;
    req->embed.text_bytes = bytes;
    for (size_t i = 0; i < TEXTS; i++) {
        snprintf(texts[i], sizeof texts[i], "%s %zu of %d", i == POISON ? "poison" : "text", i, n);
        req->embed.texts[i] = texts[i];
        bytes[i] = strlen(texts[i]);
    }
    torture_arm(TORTURE_ALLOCATION, n);
    torture_pause(true);
    port.submit(port.self, req);
    req = queue_take(&inbox, 30000);
    bool struck = torture_disarm();
    ck_assert_msg(req != NULL, "without allocation %d the request never comes back", n);
    for (size_t i = 0; i < TEXTS && !req->err.code; i++) {
        const struct lks_err *err = req->embed.errors[i];
        ck_assert_msg((req->embed.vectors[i] != NULL) == (err == NULL), "text %zu has no outcome, or two", i);
        ck_assert_msg(i == POISON || !err || err->code != LKS_E_EMBEDDING_REJECTED,
                      "without allocation %d a text is blamed that is well: %s", n, err->text);
    }
    req_free(req);
    return struck;
}

START_TEST(each_text_has_an_outcome_and_only_the_poison_is_blamed)
{
    struct stand_in server;
    struct embedders *embedders;
    struct http *http;
    struct lks_err err;
    char url[160];
    ck_assert(stand_in_start(&server, "embedder", NULL));
    snprintf(url, sizeof url, "http://%s", server.address);
    ck_assert_int_eq(http_open(NULL, &http, &err), LKS_E_OK);
    ck_assert(queue_init(&inbox, offsetof(struct req, next)));
    poison(http, server.address);
    struct embed_config config = {.provider = EMBED_OPENAI,
                                  .url = url,
                                  .model = "m",
                                  .query_model = "",
                                  .document_prefix = "",
                                  .query_prefix = "",
                                  .path = "",
                                  .api_key = "",
                                  .concurrency = 2};
    ck_assert_int_eq(embed_open(&config, 1, http, (struct inbox){&inbox, come_back}, &embedders, &err),
                     LKS_E_OK);
    int n = 1;
    while (n < MOST && embed_without(embedders, n)) n++;
    ck_assert_int_gt(n, 30);
    ck_assert_int_lt(n, MOST);
    embed_close(embedders);
    http_close(http);
    queue_fini(&inbox);
    stand_in_stop(&server);
}
END_TEST

int main(void)
{
    json_memory_watch();
    Suite *suite = suite_create("memory");
    TCase *tc = tcase_create("memory");
    tcase_set_timeout(tc, 150);
    tcase_add_test(tc, the_engine_looks_at_every_document_all_the_same);
    tcase_add_test(tc, a_change_is_told_of_or_the_request_fails);
    tcase_add_loop_test(tc, a_hash_that_failed_can_be_had_the_next_time, 1, 6);
    tcase_add_test(tc, a_refusal_that_cannot_be_read_is_not_taken_for_another);
    tcase_add_test(tc, a_filter_that_cannot_be_made_lets_nothing_through);
    tcase_add_test(tc, a_patch_that_cannot_be_read_changes_nothing);
    tcase_add_test(tc, each_text_has_an_outcome_and_only_the_poison_is_blamed);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
