/*
 * test_mongo_stream.c - the change stream over the wire: events, own writes left out, resuming, lost history,
 * drops, and servers that have no streams.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mongo_fixture.h"
#include "suite.h"

static struct fixture f;

/* Opens the stream, which must succeed; the answer is the caller's. */
static struct req *open_stream(const bson_t *token, cluster_time at)
{
    struct req *req = req_new(REQ_STREAM_OPEN, NULL);
    req->stream_open.token = token;
    req->stream_open.at = at;
    return fixture_ok(&f, req);
}

static struct req *next_req(size_t max_events)
{
    struct req *req = req_new(REQ_STREAM_NEXT, NULL);
    req->stream_next.max_events = max_events;
    req->stream_next.wait_ms = 300;
    return req;
}

/* The next answer that brings events, or an error. */
static struct req *next_events(size_t max_events)
{
    for (;;) {
        struct req *req = fixture_run(&f, next_req(max_events));
        if (req->err.code || req->stream_next.change_count) return req;
        req_free(req);
    }
}

static void assert_id(const struct change *change, const char *expected)
{
    struct docid *id = fixture_id(expected);
    ck_assert(docid_equal(change->id, id));
    docid_free(id);
}

/* An update with exactly one key. */
static void assert_update(const struct change *change, const char *id, const char *key)
{
    ck_assert_int_eq(change->op, CHANGE_UPDATE);
    assert_id(change, id);
    ck_assert_ptr_nonnull(change->keys);
    ck_assert_str_eq(change->keys[0], key);
    ck_assert_ptr_null(change->keys[1]);
}

/* Of a document that came whole: the names of its fields, with a blank behind each. */
static void assert_names(const struct change *change, const char *expected)
{
    char names[200] = "";
    ck_assert_int_eq(change->op, CHANGE_UPSERT);
    ck_assert_ptr_nonnull(change->keys);
    for (char **key = change->keys; *key; key++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s ", *key);
    ck_assert_str_eq(names, expected);
    ck_assert(!change->record_too);
}

/* Collects `count` changes over as many answers as it takes. */
static void collect(struct change *changes, size_t count)
{
    for (size_t n = 0; n < count;) {
        struct req *req = next_events(100);
        ck_assert_msg(req->err.code == LKS_E_OK, "%s", req->err.text);
        for (size_t i = 0; i < req->stream_next.change_count; i++) {
            ck_assert_uint_lt(n, count);
            changes[n++] = req->stream_next.changes[i];
            req->stream_next.changes[i] = (struct change){0};
        }
        req_free(req);
    }
}

static void changes_fini(struct change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) change_fini(&changes[i]);
}

START_TEST(events_name_documents_and_what_changed)
{
    struct change got[5];
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c", "{'_id':0}");
    fixture_open(&f);
    struct req *opened = open_stream(NULL, 0);
    ck_assert(opened->stream_open.proven);
    ck_assert_uint_gt(opened->stream_open.opened_at, 0);
    fixture_insert(&f, "c", "{'_id':'x','name':'n','syncMetadata':{'a':1},'tags':[1,2,3]}");
    fixture_update(&f, "'x'", "{'$set':{'name':'m'}}");
    fixture_update(&f, "'x'", "{'$unset':{'tags':''}}");
    fixture_update(&f, "'x'", "{'name':'replaced'}");
    bson_destroy(fixture_command(&f, NULL,
                                 "{'delete':'c','deletes':[{'q':{'_id':'x'},'limit':1}],"
                                 "'writeConcern':{'w':'majority'}}"));
    collect(got, 5);
    ck_assert_int_eq(got[0].op, CHANGE_UPSERT);
    ck_assert(!got[0].replaced);
    assert_names(&got[0], "name tags ");
    assert_id(&got[0], "'x'");
    assert_update(&got[1], "'x'", "name");
    assert_update(&got[2], "'x'", "tags");
    ck_assert_int_eq(got[3].op, CHANGE_UPSERT);
    ck_assert(got[3].replaced);
    assert_names(&got[3], "name ");
    ck_assert_ptr_null(got[4].keys);
    ck_assert_int_eq(got[4].op, CHANGE_DELETE);
    assert_id(&got[4], "'x'");
    for (size_t i = 0; i < 5; i++) {
        ck_assert_ptr_nonnull(got[i].token);
        ck_assert_uint_gt(got[i].at, opened->stream_open.opened_at);
        ck_assert_int_gt(got[i].wall_ms, 0);
        if (i) ck_assert_uint_ge(got[i].at, got[i - 1].at);
        if (i) ck_assert(!bson_equal(got[i].token, got[i - 1].token));
    }
    req_free(opened);
    changes_fini(got, 5);
    fixture_end(&f);
}
END_TEST

START_TEST(our_own_metadata_writes_are_not_seen)
{
    struct change got[5];
    struct record before, after;
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c", "{'_id':1,'name':'n'}");
    fixture_open(&f);
    req_free(open_stream(NULL, 0));
    ck_assert(record_init(&before, 2) && record_init(&after, 2));
    after.present = after.entries[0].present = true;
    after.entries[0].status = SYNC_STALE;
    struct docid *id = fixture_id("1");
    for (int round = 0; round < 2; round++) { /* the whole record, then a dotted path */
        struct req *req = req_new(REQ_RECORD, NULL);
        req->record.writes = calloc(1, sizeof *req->record.writes);
        req->record.count = 1;
        req->record.writes[0] = (struct record_write){.id = id, .before = &before, .after = &after};
        fixture_ok(&f, req);
        ck_assert_int_eq(req->record.writes[0].code, LKS_E_OK);
        req_free(req);
        before.present = before.entries[0].present = true;
        before.entries[0].status = SYNC_STALE;
        after.entries[0].status = SYNC_SYNCED;
    }
    fixture_update(&f, "1", "{'$set':{'syncMetadata2':1}}");
    fixture_update(&f, "1", "{'$set':{'syncMetadata/x':1}}");
    fixture_update(&f, "1", "{'$set':{'syncMetadat':1}}");
    fixture_update(&f, "1", "{'$set':{'syncMetadata\xc3\xa9':1}}");
    fixture_update(&f, "1", "{'$set':{'name':'m','syncMetadata.overallStatus':'x'}}");
    collect(got, 5);
    assert_update(&got[0], "1", "syncMetadata2");
    assert_update(&got[1], "1", "syncMetadata/x");
    assert_update(&got[2], "1", "syncMetadat");
    assert_update(&got[3], "1", "syncMetadata\xc3\xa9");
    assert_update(&got[4], "1", "name");
    for (size_t i = 0; i < 5; i++) ck_assert(got[i].record_too == (i == 4));
    changes_fini(got, 5);
    docid_free(id);
    record_fini(&before);
    record_fini(&after);
    fixture_end(&f);
}
END_TEST

START_TEST(after_a_restart_the_stream_goes_on_behind_its_token)
{
    struct change got[3], again[2];
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c", "{'_id':0}");
    fixture_open(&f);
    struct req *opened = open_stream(NULL, 0);
    fixture_insert(&f, "c", "{'_id':1},{'_id':2}");
    fixture_insert(&f, "c", "{'_id':3}");
    collect(got, 3);
    fixture_open(&f);
    struct req *resumed = open_stream(got[0].token, got[0].at);
    ck_assert(resumed->stream_open.proven);
    ck_assert_uint_eq(resumed->stream_open.opened_at, got[0].at);
    collect(again, 2);
    assert_id(&again[0], "2");
    assert_id(&again[1], "3");
    ck_assert(bson_equal(again[1].token, got[2].token));
    changes_fini(again, 2);
    req_free(resumed);
    resumed = open_stream(NULL, got[1].at); /* by time, as with a token of another pipeline: inclusive */
    ck_assert(resumed->stream_open.proven);
    collect(again, 2);
    assert_id(&again[0], "2");
    assert_id(&again[1], "3");
    changes_fini(again, 2);
    changes_fini(got, 3);
    req_free(resumed);
    req_free(opened);
    fixture_end(&f);
}
END_TEST

START_TEST(an_answer_brings_no_more_events_than_asked_for)
{
    fixture_start(&f, _i, NULL);
    fixture_open(&f);
    fixture_insert(&f, "c", "{'_id':0}");
    req_free(open_stream(NULL, 0));
    fixture_insert(&f, "c", "{'_id':1},{'_id':2},{'_id':3},{'_id':4},{'_id':5}");
    size_t seen = 0;
    while (seen < 5) {
        struct req *req = next_events(2);
        ck_assert_int_eq(req->err.code, LKS_E_OK);
        ck_assert_uint_le(req->stream_next.change_count, 2);
        seen += req->stream_next.change_count;
        req_free(req);
    }
    ck_assert_uint_eq(seen, 5);
    fixture_end(&f);
}
END_TEST

START_TEST(an_idle_stream_hands_out_tokens_that_can_be_resumed)
{
    struct change got[1];
    fixture_start(&f, _i, NULL);
    fixture_insert(&f, "c", "{'_id':0}");
    fixture_open(&f);
    req_free(open_stream(NULL, 0));
    fixture_insert(&f, "elsewhere", "{'_id':0}");
    struct req *idle = fixture_ok(&f, next_req(10));
    ck_assert_uint_eq(idle->stream_next.change_count, 0);
    ck_assert(idle->stream_next.proven);
    ck_assert_ptr_nonnull(idle->stream_next.token);
    ck_assert_uint_gt(idle->stream_next.at, 0);
    fixture_insert(&f, "c", "{'_id':1}");
    fixture_open(&f);
    struct req *resumed = open_stream(idle->stream_next.token, idle->stream_next.at);
    ck_assert(resumed->stream_open.proven);
    collect(got, 1);
    assert_id(&got[0], "1");
    changes_fini(got, 1);
    req_free(resumed);
    req_free(idle);
    fixture_end(&f);
}
END_TEST

START_TEST(a_token_whose_history_is_gone_is_lost_at_once)
{
    struct change got[1];
    fixture_start(&f, 0, NULL); /* a real server forgets when it likes */
    fixture_insert(&f, "c", "{'_id':0}");
    fixture_open(&f);
    req_free(open_stream(NULL, 0));
    fixture_insert(&f, "c", "{'_id':1}");
    collect(got, 1);
    fixture_insert(&f, "c", "{'_id':2}"); /* the change that would be missed */
    fixture_open(&f);
    bson_destroy(fixture_command(&f, "admin", "{'lockstepDouble':'truncateOplog'}"));
    fixture_insert(&f, "elsewhere", "{'_id':1}");
    struct req *req = req_new(REQ_STREAM_OPEN, NULL);
    req->stream_open.token = got[0].token;
    req->stream_open.at = got[0].at;
    fixture_run(&f, req);
    ck_assert_msg(req->err.code == LKS_E_STREAM_LOST, "%s", req->err.text);
    req_free(req);
    req = req_new(REQ_STREAM_OPEN, NULL);
    req->stream_open.at = got[0].at;
    fixture_run(&f, req);
    ck_assert_msg(req->err.code == LKS_E_STREAM_LOST, "%s", req->err.text);
    req_free(req);
    changes_fini(got, 1);
    fixture_end(&f);
}
END_TEST

START_TEST(without_proof_no_idle_token_is_handed_out)
{
    struct change got[1];
    fixture_start(&f, 0, NULL);
    fixture_insert(&f, "c", "{'_id':0}");
    fixture_open(&f);
    req_free(open_stream(NULL, 0));
    fixture_insert(&f, "c", "{'_id':1}");
    collect(got, 1);
    fixture_insert(&f, "c", "{'_id':2}");
    fixture_open(&f);
    bson_destroy(fixture_command(&f, "admin", "{'lockstepDouble':'truncateOplog'}"));
    fixture_insert(&f, "elsewhere", "{'_id':1}");
    struct req *opened = open_stream(got[0].token, 0); /* no time to probe at: it looks fine */
    ck_assert(!opened->stream_open.proven);
    struct req *idle = fixture_ok(&f, next_req(10));
    ck_assert_uint_eq(idle->stream_next.change_count, 0);
    ck_assert(!idle->stream_next.proven);
    ck_assert_ptr_null(idle->stream_next.token);
    fixture_insert(&f, "c", "{'_id':3}");
    struct req *lost = next_events(10);
    ck_assert_msg(lost->err.code == LKS_E_STREAM_LOST, "%s", lost->err.text);
    req_free(opened);
    req_free(idle);
    req_free(lost);
    changes_fini(got, 1);
    fixture_end(&f);
}
END_TEST

START_TEST(a_token_that_is_none_is_lost)
{
    static const char *const tokens[] = {"{'_data':'zz'}", "{'_data':''}", "{'foo':1}"};
    fixture_start(&f, 0, NULL);
    fixture_insert(&f, "c", "{'_id':0}");
    fixture_open(&f);
    struct req *req = req_new(REQ_STREAM_OPEN, NULL);
    bson_t *token = fixture_doc(tokens[_i]);
    req->stream_open.token = token;
    fixture_run(&f, req);
    ck_assert_msg(req->err.code == LKS_E_STREAM_LOST, "%s", req->err.text);
    req_free(req);
    bson_destroy(token);
    fixture_end(&f);
}
END_TEST

/* What ends a collection; %s stands for the database. */
static const struct {
    bool admin;
    const char *command;
} ends[] = {
    {false, "{'drop':'c'}"},
    {true, "{'renameCollection':'%s.c','to':'%s.moved'}"},
    {false, "{'dropDatabase':1}"},
};
#define END_COUNT ((int)(sizeof ends / sizeof *ends))

START_TEST(when_the_collection_ends_the_stream_starts_again_behind_it)
{
    struct change got[1];
    fixture_start(&f, _i / END_COUNT, NULL);
    fixture_insert(&f, "c", "{'_id':0}");
    fixture_open(&f);
    req_free(open_stream(NULL, 0));
    fixture_insert(&f, "c", "{'_id':1}");
    char *command = fixture_with_database(&f, ends[_i % END_COUNT].command);
    bson_destroy(fixture_command(&f, ends[_i % END_COUNT].admin ? "admin" : NULL, command));
    bson_free(command);
    fixture_insert(&f, "c", "{'_id':2}");
    struct req *req = next_events(10);
    ck_assert_msg(req->err.code == LKS_E_OK, "%s", req->err.text);
    assert_id(&req->stream_next.changes[0], "1");
    req_free(req);
    struct req *ended = next_events(10);
    ck_assert_msg(ended->err.code == LKS_E_STREAM_ENDED, "%s", ended->err.text);
    ck_assert_ptr_nonnull(ended->stream_next.token);
    req_free(open_stream(ended->stream_next.token, ended->stream_next.at));
    collect(got, 1);
    assert_id(&got[0], "2");
    changes_fini(got, 1);
    req_free(ended);
    fixture_end(&f);
}
END_TEST

START_TEST(a_broken_stream_is_opened_again_by_the_engine)
{
    struct change got[1];
    fixture_start(&f, 0, NULL);
    fixture_insert(&f, "c", "{'_id':0}");
    fixture_open(&f);
    req_free(open_stream(NULL, 0));
    struct req *idle = fixture_ok(&f, next_req(10));
    bson_destroy(fixture_command(&f, "admin",
                                 "{'configureFailPoint':'failCommand','mode':{'times':1},'data':{"
                                 "'failCommands':['getMore'],'errorCode':189}}"));
    struct req *broken = next_events(10);
    ck_assert_int_eq(broken->err.code, LKS_E_MONGO);
    req_free(broken);
    broken = fixture_run(&f, next_req(10));
    ck_assert_int_eq(broken->err.code, LKS_E_MONGO); /* it doesn't resume by itself */
    req_free(broken);
    fixture_insert(&f, "c", "{'_id':1}");
    for (;;) { /* until the driver trusts the server again */
        struct req *req = req_new(REQ_STREAM_OPEN, NULL);
        req->stream_open.token = idle->stream_next.token;
        req->stream_open.at = idle->stream_next.at;
        fixture_run(&f, req);
        enum lks_code code = req->err.code;
        ck_assert(code == LKS_E_OK || code == LKS_E_MONGO);
        req_free(req);
        if (code == LKS_E_OK) break;
    }
    collect(got, 1);
    assert_id(&got[0], "1");
    changes_fini(got, 1);
    req_free(idle);
    fixture_end(&f);
}
END_TEST

START_TEST(a_standalone_has_no_streams_but_all_the_rest)
{
    fixture_start(&f, 0, "--standalone");
    fixture_insert(&f, "c", "{'_id':1,'id':'a'},{'_id':2,'id':'a'}");
    fixture_open(&f);
    struct req *req = fixture_run(&f, req_new(REQ_STREAM_OPEN, NULL));
    ck_assert_msg(req->err.code == LKS_E_UNSUPPORTED, "%s", req->err.text);
    req_free(req);
    req = req_new(REQ_SCAN, NULL);
    req->scan.max_docs = 10;
    fixture_ok(&f, req);
    ck_assert_uint_eq(req->scan.count, 2);
    ck_assert_ptr_nonnull(req->scan.docs[1].owner);
    req_free(req);
    req = req_new(REQ_LEASE, NULL);
    req->lease.op = LEASE_TAKE;
    req->lease.lease_ms = 1000;
    fixture_ok(&f, req);
    ck_assert(req->lease.held);
    req_free(req);
    fixture_end(&f);
}
END_TEST

START_TEST(a_source_that_is_not_to_be_watched_has_no_stream)
{
    fixture_start(&f, 0, NULL);
    f.config.watch = MONGO_WATCH_OFF;
    fixture_open(&f);
    struct req *req = fixture_run(&f, req_new(REQ_STREAM_OPEN, NULL));
    ck_assert_int_eq(req->err.code, LKS_E_UNSUPPORTED);
    req_free(req);
    fixture_end(&f);
}
END_TEST

int main(void)
{
    int servers = fixture_server_count();
    Suite *suite = suite_create("mongo stream");
    TCase *tc = tcase_create("events");
    tcase_add_loop_test(tc, events_name_documents_and_what_changed, 0, servers);
    tcase_add_loop_test(tc, our_own_metadata_writes_are_not_seen, 0, servers);
    tcase_add_loop_test(tc, an_answer_brings_no_more_events_than_asked_for, 0, servers);
    suite_add_tcase(suite, tc);
    tc = tcase_create("resuming");
    tcase_add_loop_test(tc, after_a_restart_the_stream_goes_on_behind_its_token, 0, servers);
    tcase_add_loop_test(tc, an_idle_stream_hands_out_tokens_that_can_be_resumed, 0, servers);
    tcase_add_test(tc, a_token_whose_history_is_gone_is_lost_at_once);
    tcase_add_test(tc, without_proof_no_idle_token_is_handed_out);
    tcase_add_loop_test(tc, a_token_that_is_none_is_lost, 0, 3);
    tcase_add_loop_test(tc, when_the_collection_ends_the_stream_starts_again_behind_it, 0,
                        servers * END_COUNT);
    tcase_add_test(tc, a_broken_stream_is_opened_again_by_the_engine);
    suite_add_tcase(suite, tc);
    tc = tcase_create("without");
    tcase_add_test(tc, a_standalone_has_no_streams_but_all_the_rest);
    tcase_add_test(tc, a_source_that_is_not_to_be_watched_has_no_stream);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
