/*
 * test_memory_adapters.c - memory is out once, or one call fails, at each place of an adapter that something
 * needs: it brings the answer that there is, or says that it could not. What tests/fault/torture found, kept
 * found.
 *
 * Only what happens between torture_arm() and torture_disarm() is counted; tests make their requests before.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/json_memory.h"
#include "base/queue.h"
#include "embed/embed.h"
#include "engine/engine.h"
#include "fault/torture.h"
#include "qdrant/qdrant_verdict.h"
#include "unit/mongo_fixture.h"
#include "unit/suite.h"

#define MOST 3000 /* allocations, of which there have to be fewer */

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
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    struct docid *id = fixture_id(text);
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

/* The n-th allocation fails while the stream brings a change: it is reported, or the request fails and the
 * stream, opened again, reports it. */
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
    ck_assert_msg(found, "without allocation %d the change is never reported", n);
    return struck;
}

START_TEST(a_change_is_reported_or_the_request_fails)
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

/* ---- what MongoDB is asked ---- */

static struct mongo *other;

static struct req *due_req(void)
{
    struct req *req = req_new(REQ_DUE, NULL);
    req->due.max_docs = 2;
    return req;
}

static struct req *duplicates_req(void)
{
    static const char *const keys[] = {"{\"$oid\":\"0123456789abcdef01234567\"}", "one"};
    struct req *req = req_new(REQ_DUPLICATES, NULL);
    req->duplicates.keys = calloc(2, sizeof *req->duplicates.keys);
    ck_assert_ptr_nonnull(req->duplicates.keys);
    memcpy(req->duplicates.keys, keys, sizeof keys);
    req->duplicates.count = 2;
    req->duplicates.max_ids = 10;
    return req;
}

static struct req *scan_req(void)
{
    struct req *req = req_new(REQ_SCAN, NULL);
    req->scan.max_docs = 10;
    req->scan.max_bytes = 1 << 20;
    return req;
}

static struct req *tombstones_req(void)
{
    struct req *req = req_new(REQ_TOMBSTONES_LIST, NULL);
    req->tombstones.due_by_ms = 5000;
    req->tombstones.max = 10;
    return req;
}

static struct req *lease_req(void)
{
    struct req *req = req_new(REQ_LEASE, NULL);
    req->lease.op = LEASE_TAKE;
    req->lease.lease_ms = 60000;
    return req;
}

static struct req *state_req(void)
{
    return req_new(REQ_STATE_LOAD, NULL);
}

static void put_ids(struct buf *out, struct docid *const *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *json = docid_json(ids[i]);
        buf_printf(out, "%s ", json);
        free(json);
    }
}

/* All that an answer says, and that doesn't depend on the time. */
static char *answer_of(const struct req *req)
{
    struct buf out;
    buf_init(&out, 0);
    buf_printf(&out, "%s: ", req_kind_name(req->kind));
    switch (req->kind) {
    case REQ_DUE:
        put_ids(&out, req->due.ids, req->due.count);
        buf_puts(&out, req->due.end ? "end" : "more");
        break;
    case REQ_DUPLICATES:
        put_ids(&out, req->duplicates.ids, req->duplicates.id_count);
        break;
    case REQ_SCAN:
        for (size_t i = 0; i < req->scan.count; i++) {
            const struct source_document *doc = &req->scan.docs[i];
            put_ids(&out, &doc->id, 1);
            buf_printf(&out, "%s%s ", doc->owner ? "owned" : "", doc->contested ? "contested" : "");
        }
        buf_puts(&out, req->scan.end ? "end" : "more");
        break;
    case REQ_TOMBSTONES_LIST:
        for (size_t i = 0; i < req->tombstones.count; i++) {
            const struct tombstone *tombstone = &req->tombstones.tombstones[i];
            put_ids(&out, &tombstone->id, 1);
            buf_printf(&out, "%s %d, ", tombstone->key ? tombstone->key : "-", (int)tombstone->since_ms);
        }
        break;
    case REQ_LEASE:
        buf_printf(&out, "%s %s", req->lease.held ? "mine" : "not mine",
                   req->lease.lease_holder ? req->lease.lease_holder : "nobody's");
        break;
    default: {
        const struct engine_state *state = &req->state_load.state;
        buf_printf(&out, "%d %d ", state->token ? (int)state->token->len : 0, (int)state->scan_running);
        if (state->scan_after) put_ids(&out, &state->scan_after, 1);
        for (char **digest = state->digests; digest && *digest; digest++) buf_printf(&out, "%s ", *digest);
    }
    }
    return buf_take(&out, NULL);
}

static struct req *asked_without(struct req *req, long n, bool *struck)
{
    torture_arm(TORTURE_ALLOCATION, n);
    torture_pause(true);
    req = fixture_run_on(&f, req->kind == REQ_LEASE ? other : f.mongo, req);
    *struck = torture_disarm();
    return req;
}

/* Documents, duplicates among them, two tombstones, a lease that somebody else has, and a state. */
static void fill_mongodb(void)
{
    fixture_insert(
        &f, "c",
        "{'_id':1,'id':'one'},{'_id':2,'id':'two'},{'_id':3,'id':{'$oid':'0123456789abcdef01234567'}},"
        "{'_id':{'$oid':'000000000000000000000001'},'id':'one'}");
    fixture_open(&f);
    other = fixture_open_other(&f, "second");
    struct req *req = fixture_ok(&f, lease_req());
    uint64_t epoch = req->lease.epoch;
    req_free(req);
    req = req_new(REQ_STATE_SAVE, NULL);
    req->state_save.epoch = epoch;
    req->state_save.state.token = fixture_doc("{'_data':'82AA'}");
    req->state_save.state.scan_running = true;
    req->state_save.state.scan_after = fixture_id("{'$oid':'000000000000000000000001'}");
    req_free(fixture_ok(&f, req));
    req = req_new(REQ_TOMBSTONES_PUT, NULL);
    req->tombstones.tombstones = calloc(2, sizeof *req->tombstones.tombstones);
    ck_assert_ptr_nonnull(req->tombstones.tombstones);
    req->tombstones.count = 2;
    req->tombstones.tombstones[0] =
        (struct tombstone){.id = fixture_id("7"), .key = strdup("key"), .since_ms = 1000};
    req->tombstones.tombstones[1] = (struct tombstone){.id = fixture_id("'x'"), .since_ms = 2000};
    req_free(fixture_ok(&f, req));
}

/* Each of the documents is found by all of what its id may mean, or the search fails; so too where records
 * are beside them and decide. */
START_TEST(a_search_of_the_list_finds_its_document_or_fails)
{
    const struct mongo_list_request request = {.search = _i & 1 ? "\"two\""
                                                                : "{\"$oid\":\"0123456789abcdef01234567\"}",
                                               .collection = MONGO_OVERALL,
                                               .sort = _i & 2 ? MONGO_SORT_UPDATED : MONGO_SORT_ID,
                                               .limit = 5};
    bool struck = true;
    long n = 1;
    fixture_start(&f, 0, NULL);
    if (_i & 2) f.config.metadata = MONGO_SIDECAR;
    fill_mongodb();
    for (; struck && n < MOST; n++) {
        struct mongo_list list;
        struct lks_err err = {.code = LKS_E_OK};
        torture_arm(TORTURE_ALLOCATION, n);
        enum lks_code code = mongo_list(f.mongo, &request, &list, &err);
        struck = torture_disarm();
        ck_assert_msg(struck || !code, "%s", err.text);
        if (!code) ck_assert_uint_eq(list.count, 1);
        mongo_docs_free(list.docs, list.count);
    }
    ck_assert_int_gt(n, 4);
    ck_assert_int_lt(n, MOST);
    mongo_close(other);
    fixture_end(&f);
}
END_TEST

static struct req *(*const asked[])(void) = {due_req,        duplicates_req, scan_req,
                                             tombstones_req, lease_req,      state_req};

static struct req *orphans_req(void)
{
    struct req *req = req_new(REQ_ORPHAN_RECORDS, NULL);
    req->orphan_records.max_records = 3;
    return req;
}

/* Those that are left out would stay for ever, as the next page begins after them. */
START_TEST(records_without_a_document_are_listed_whole_or_not_at_all)
{
    bool struck = true;
    long n = 1;
    fixture_start(&f, 0, NULL);
    f.config.metadata = MONGO_SIDECAR;
    fill_mongodb();
    fixture_insert(&f, "c.lockstep",
                   "{'_id':2,'syncMetadata':{}},{'_id':8,'syncMetadata':{}},{'_id':9,'syncMetadata':{}},"
                   "{'_id':'z','syncMetadata':{}}");
    for (; struck && n < MOST; n++) {
        struct req *req = asked_without(orphans_req(), n, &struck);
        ck_assert_msg(struck || !req->err.code, "%s", req->err.text);
        if (!req->err.code) {
            ck_assert_uint_eq(req->orphan_records.count, 2);
            fixture_assert_id(req->orphan_records.next, "9");
        }
        req_free(req);
    }
    ck_assert_int_gt(n, 4);
    ck_assert_int_lt(n, MOST);
    mongo_close(other);
    fixture_end(&f);
}
END_TEST

START_TEST(what_mongodb_is_asked_is_answered_whole_or_not_at_all)
{
    bool struck = false;
    fixture_start(&f, 0, NULL);
    if (_i >= COUNT(asked)) f.config.metadata = MONGO_SIDECAR;
    fill_mongodb();
    struct req *(*make)(void) = asked[_i % COUNT(asked)];
    struct req *req = asked_without(make(), MOST, &struck);
    ck_assert_msg(!req->err.code, "%s", req->err.text);
    char *whole = answer_of(req);
    req_free(req);
    long n = 1;
    for (struck = true; struck && n < MOST; n++) {
        req = asked_without(make(), n, &struck);
        ck_assert_msg(struck || !req->err.code, "%s", req->err.text);
        char *answer = req->err.code ? NULL : answer_of(req);
        if (answer) ck_assert_str_eq(answer, whole);
        free(answer);
        req_free(req);
    }
    ck_assert_int_gt(n, 2);
    ck_assert_int_lt(n, MOST);
    ck_assert_msg(strlen(whole) > 20, "%s", whole); /* there is something to leave out */
    free(whole);
    mongo_close(other);
    fixture_end(&f);
}
END_TEST

/* ---- ids that are read ---- */

START_TEST(an_id_that_cannot_be_read_is_not_taken_for_none)
{
    long n = 1;
    for (bool struck = true; struck && n < MOST; n++) {
        struct docid *id;
        torture_arm(TORTURE_ALLOCATION, n);
        bool ok = docid_read("{\"$oid\":\"0123456789abcdef01234567\"}", &id);
        struck = torture_disarm();
        ck_assert(ok != struck && (id != NULL) == ok);
        docid_free(id);
    }
    ck_assert_int_gt(n, 2);
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
        struct qdrant_verdict v;
        torture_arm(TORTURE_ALLOCATION, n);
        verdict_read(&v, &call, "look", NULL);
        struck = torture_disarm();
        ck_assert_int_eq(v.code, struck ? LKS_E_NOMEM : LKS_E_NOT_FOUND);
        ck_assert_int_eq(v.err.code, v.code);
    }
    ck_assert_int_gt(n, 2);
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

static bool embed_without(struct embedders *embedders, int n, size_t count)
{
    static char texts[TEXTS][80];
    struct port port = embed_port(embedders);
    struct req *req = req_new(REQ_EMBED, NULL);
    size_t *bytes = calloc(count, sizeof *bytes);
    req->embed.texts = calloc(count, sizeof *req->embed.texts);
    ck_assert(req->embed.texts && bytes);
    req->embed.count = count;
    req->embed.text_bytes = bytes;
    for (size_t i = 0; i < count; i++) {
        snprintf(texts[i], sizeof texts[i], "%s %zu of %zu, %d", i == POISON ? "poison" : "text", i, count,
                 n);
        req->embed.texts[i] = texts[i];
        bytes[i] = strlen(texts[i]);
    }
    torture_arm(TORTURE_ALLOCATION, n);
    torture_pause(true);
    port.submit(port.self, req);
    req = queue_take(&inbox, 30000);
    bool struck = torture_disarm();
    ck_assert_msg(req != NULL, "without allocation %d the request never comes back", n);
    for (size_t i = 0; i < count && !req->err.code; i++) {
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
    for (size_t count = 1; count <= TEXTS; count += TEXTS - 1) {
        int n = 1;
        while (n < MOST && embed_without(embedders, n, count)) n++;
        ck_assert_int_gt(n, 20);
        ck_assert_int_lt(n, MOST);
    }
    embed_close(embedders);
    http_close(http);
    queue_fini(&inbox);
    stand_in_stop(&server);
}
END_TEST

int main(void)
{
    json_memory_watch();
    Suite *suite = suite_create("memory_adapters");
    TCase *tc = tcase_create("memory_adapters");
    tcase_set_timeout(tc, 150);
    tcase_add_test(tc, a_change_is_reported_or_the_request_fails);
    tcase_add_loop_test(tc, what_mongodb_is_asked_is_answered_whole_or_not_at_all, 0, 2 * COUNT(asked));
    tcase_add_test(tc, records_without_a_document_are_listed_whole_or_not_at_all);
    tcase_add_loop_test(tc, a_search_of_the_list_finds_its_document_or_fails, 0, 4);
    tcase_add_test(tc, an_id_that_cannot_be_read_is_not_taken_for_none);
    tcase_add_loop_test(tc, a_hash_that_failed_can_be_had_the_next_time, 1, 6);
    tcase_add_test(tc, a_refusal_that_cannot_be_read_is_not_taken_for_another);
    tcase_add_test(tc, each_text_has_an_outcome_and_only_the_poison_is_blamed);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
