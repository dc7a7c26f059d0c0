/*
 * test_double_mongod.c - what the recordings cannot show of the MongoDB stand-in: its own faults (a frozen
 * majority, a rollback, a forgotten oplog), keeping data in a file, garbage on the wire, and that an index
 * never changes an answer. The server runs inside the test; commands are relaxed Extended JSON.
 */
#include <bson/bson.h>
#include <stdio.h>
#include <unistd.h>

#include "double/mongo/conn.h"
#include "double/mongo/journal.h"
#include "double/mongo/keystring.h"
#include "suite.h"

static struct server server;
static struct conn *conn;
static bson_t reply;
static char file[] = "double_mongod.XXXXXX";

static void start(void)
{
    struct options opt = {0};
    server_init(&server, &opt);
    conn = conn_new(&server, -1);
    bson_init(&reply);
}

static void stop(void)
{
    bson_destroy(&reply);
    server_fini(&server);
}

/* Sends a command and leaves what was answered in `reply`; false if nothing was (yet). */
static bool take_reply(void)
{
    if (conn->out_bytes < 21) return false;
    bson_destroy(&reply);
    bson_t view;
    ck_assert(bson_init_static(&view, conn->out + 21, rd32(conn->out) - 21));
    bson_copy_to(&view, &reply);
    conn->out_bytes = 0;
    return true;
}

static bool ask(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool ask(const char *format, ...)
{
    char json[4096];
    va_list ap;
    va_start(ap, format);
    vsnprintf(json, sizeof json, format, ap);
    va_end(ap);
    bson_error_t error;
    bson_t *doc = bson_new_from_json((const uint8_t *)json, -1, &error);
    ck_assert_msg(doc != NULL, "%s: %s", json, error.message);
    uint8_t *msg = calloc(1, 21 + doc->len);
    ck_assert_ptr_nonnull(msg);
    wr32(msg, 21 + doc->len);
    wr32(msg + 12, 2013);
    memcpy(msg + 21, bson_get_data(doc), doc->len);
    conn_feed(conn, msg, 21 + doc->len);
    free(msg);
    bson_destroy(doc);
    return take_reply();
}

/* The value at a dotted path of the last reply as JSON, compared with what it ought to be. */
static void expect(const char *path, const char *json)
{
    bson_iter_t it, at;
    bson_t got = BSON_INITIALIZER;
    if (bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, path, &at))
        bson_append_iter(&got, "v", 1, &at);
    char *text = bson_as_relaxed_extended_json(&got, NULL), want[2048];
    if (json) {
        snprintf(want, sizeof want, "{ \"v\" : %s }", json);
    } else {
        snprintf(want, sizeof want, "{ }");
    }
    ck_assert_str_eq(text, want);
    bson_free(text);
    bson_destroy(&got);
}

#define DOUBLE(what) ck_assert(ask("{\"lockstepDouble\": \"%s\", \"$db\": \"admin\"}", what))
#define FIND(extra) ck_assert(ask("{\"find\": \"c\", \"sort\": {\"_id\": 1}, %s \"$db\": \"t\"}", extra))
#define MAJORITY "\"readConcern\": {\"level\": \"majority\"},"

static void insert(const char *doc)
{
    ck_assert(ask("{\"insert\": \"c\", \"documents\": [%s], \"$db\": \"t\"}", doc));
    expect("n", "1");
}

START_TEST(a_frozen_majority_hides_what_was_written_since)
{
    insert("{\"_id\": 1, \"v\": 0}");
    DOUBLE("freezeMajority");
    ck_assert(ask("{\"update\": \"c\", \"updates\": [{\"q\": {\"_id\": 1}, \"u\": {\"$set\": {\"v\": 1}}}], "
                  "\"$db\": \"t\"}"));
    insert("{\"_id\": 2}");
    FIND("");
    expect("cursor.firstBatch", "[ { \"_id\" : 1, \"v\" : 1 }, { \"_id\" : 2 } ]");
    FIND(MAJORITY);
    expect("cursor.firstBatch", "[ { \"_id\" : 1, \"v\" : 0 } ]");
    DOUBLE("thawMajority");
    FIND(MAJORITY);
    expect("cursor.firstBatch", "[ { \"_id\" : 1, \"v\" : 1 }, { \"_id\" : 2 } ]");
}
END_TEST

START_TEST(a_majority_write_waits_until_the_majority_thaws)
{
    DOUBLE("freezeMajority");
    ck_assert(!ask("{\"insert\": \"c\", \"documents\": [{\"_id\": 1}], \"writeConcern\": {\"w\": "
                   "\"majority\"}, \"$db\": \"t\"}"));
    conn_step(conn);
    ck_assert(!take_reply());
    struct conn *waiting = conn;
    conn = conn_new(&server, -1);
    DOUBLE("thawMajority");
    conn = waiting;
    conn_step(conn);
    ck_assert(take_reply());
    expect("n", "1");
    expect("writeConcernError", NULL);
}
END_TEST

START_TEST(a_write_that_is_rolled_back_is_not_called_safe)
{
    DOUBLE("freezeMajority");
    ck_assert(!ask("{\"insert\": \"c\", \"documents\": [{\"_id\": 1}], \"writeConcern\": {\"w\": "
                   "\"majority\"}, \"$db\": \"t\"}"));
    struct conn *waiting = conn;
    conn = conn_new(&server, -1);
    DOUBLE("rollback");
    conn = waiting;
    conn_step(conn);
    ck_assert(take_reply());
    expect("writeConcernError.code", "189");
}
END_TEST

START_TEST(a_rollback_undoes_what_no_majority_had)
{
    insert("{\"_id\": 1, \"v\": 0}");
    insert("{\"_id\": 2}");
    DOUBLE("freezeMajority");
    ck_assert(ask("{\"update\": \"c\", \"updates\": [{\"q\": {\"_id\": 1}, \"u\": {\"$set\": {\"v\": 1}}}], "
                  "\"$db\": \"t\"}"));
    ck_assert(ask("{\"delete\": \"c\", \"deletes\": [{\"q\": {\"_id\": 2}, \"limit\": 1}], \"$db\": \"t\"}"));
    insert("{\"_id\": 3}");
    ck_assert(ask("{\"insert\": \"new\", \"documents\": [{\"_id\": 1}], \"$db\": \"t\"}"));
    ck_assert(ask("{\"drop\": \"c\", \"$db\": \"t\"}"));
    DOUBLE("rollback");
    FIND("");
    expect("cursor.firstBatch", "[ { \"_id\" : 1, \"v\" : 0 }, { \"_id\" : 2 } ]");
    ck_assert(ask("{\"listCollections\": 1, \"nameOnly\": true, \"$db\": \"t\"}"));
    expect("cursor.firstBatch", "[ { \"name\" : \"c\", \"type\" : \"collection\" } ]");
}
END_TEST

START_TEST(a_forgotten_oplog_ends_streams_that_stood_in_it)
{
    insert("{\"_id\": 1}");
    ck_assert(ask(
        "{\"aggregate\": \"c\", \"pipeline\": [{\"$changeStream\": {}}], \"cursor\": {}, \"$db\": \"t\"}"));
    bson_iter_t it, id;
    ck_assert(bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, "cursor.id", &id));
    int64_t cursor = bson_iter_int64(&id);
    insert("{\"_id\": 2}");
    ck_assert(ask("{\"getMore\": {\"$numberLong\": \"%lld\"}, \"collection\": \"c\", \"$db\": \"t\"}",
                  (long long)cursor));
    expect("cursor.nextBatch.0.operationType", "\"insert\"");
    DOUBLE("truncateOplog");
    ck_assert(ask("{\"getMore\": {\"$numberLong\": \"%lld\"}, \"collection\": \"c\", \"$db\": \"t\"}",
                  (long long)cursor));
    expect("code", "136");
    ck_assert(ask("{\"aggregate\": \"c\", \"pipeline\": [{\"$changeStream\": {\"startAtOperationTime\": "
                  "{\"$timestamp\": {\"t\": 1, \"i\": 1}}}}], \"cursor\": {}, \"$db\": \"t\"}"));
    expect("code", "286");
}
END_TEST

START_TEST(a_waiting_stream_ends_when_its_cursor_is_killed)
{
    insert("{\"_id\": 1}");
    ck_assert(ask(
        "{\"aggregate\": \"c\", \"pipeline\": [{\"$changeStream\": {}}], \"cursor\": {}, \"$db\": \"t\"}"));
    bson_iter_t it, id;
    ck_assert(bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, "cursor.id", &id));
    long long cursor = (long long)bson_iter_int64(&id);
    ck_assert(!ask("{\"getMore\": {\"$numberLong\": \"%lld\"}, \"collection\": \"c\", \"maxTimeMS\": 600000, "
                   "\"$db\": \"t\"}",
                   cursor));
    struct conn *waiting = conn;
    conn = conn_new(&server, -1);
    ck_assert(
        ask("{\"killCursors\": \"c\", \"cursors\": [{\"$numberLong\": \"%lld\"}], \"$db\": \"t\"}", cursor));
    conn = waiting;
    conn_step(conn);
    ck_assert(take_reply());
    expect("code", "237");
}
END_TEST

START_TEST(counters_count_commands_by_their_names)
{
    insert("{\"_id\": 1}");
    DOUBLE("resetCounters");
    FIND("");
    FIND("");
    DOUBLE("counters");
    expect("counters", "{ \"find\" : 2, \"lockstepDouble\" : 1 }");
}
END_TEST

START_TEST(a_file_keeps_documents_indexes_and_the_place_in_the_stream)
{
    struct merr err;
    int fd = mkstemp(file);
    ck_assert_int_ge(fd, 0);
    close(fd);
    merr_init(&err);
    server.journal = journal_open(&server, file, &err);
    ck_assert_ptr_nonnull(server.journal);
    ck_assert(ask("{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"k\": 1}, \"name\": \"k_1\", "
                  "\"unique\": true}], \"$db\": \"t\"}"));
    ck_assert(ask(
        "{\"aggregate\": \"c\", \"pipeline\": [{\"$changeStream\": {}}], \"cursor\": {}, \"$db\": \"t\"}"));
    bson_iter_t it, at;
    ck_assert(bson_iter_init(&it, &reply) &&
              bson_iter_find_descendant(&it, "cursor.postBatchResumeToken._data", &at));
    char *token = bson_strdup(bson_iter_utf8(&at, NULL));
    insert("{\"_id\": 1, \"k\": 1}");
    insert("{\"_id\": 2, \"k\": 2}");
    ck_assert(ask("{\"update\": \"c\", \"updates\": [{\"q\": {\"_id\": 1}, \"u\": {\"$set\": {\"v\": "
                  "[1]}}}], \"$db\": \"t\"}"));
    ck_assert(ask("{\"delete\": \"c\", \"deletes\": [{\"q\": {\"_id\": 2}, \"limit\": 1}], \"$db\": \"t\"}"));
    stop();

    FILE *torn = fopen(file, "ab"); /* as a killed process leaves it */
    ck_assert_ptr_nonnull(torn);
    fwrite("\x40\0\0\0half", 1, 8, torn);
    fclose(torn);
    start();
    server.journal = journal_open(&server, file, &err);
    ck_assert_ptr_nonnull(server.journal);
    FIND("");
    expect("cursor.firstBatch", "[ { \"_id\" : 1, \"k\" : 1, \"v\" : [ 1 ] } ]");
    ck_assert(ask("{\"insert\": \"c\", \"documents\": [{\"_id\": 9, \"k\": 1}], \"$db\": \"t\"}"));
    expect("writeErrors.0.code", "11000");
    ck_assert(ask(
        "{\"aggregate\": \"c\", \"pipeline\": [{\"$changeStream\": {\"resumeAfter\": {\"_data\": \"%s\"}}}, "
        "{\"$project\": {\"operationType\": 1, \"documentKey\": 1}}], \"cursor\": {}, \"$db\": \"t\"}",
        token));
    expect("cursor.firstBatch.0.documentKey._id", "1");
    expect("cursor.firstBatch.2.operationType", "\"update\"");
    expect("cursor.firstBatch.3.operationType", "\"delete\"");
    expect("cursor.firstBatch.4", NULL);
    bson_free(token);
    unlink(file);
}
END_TEST

/* Each filter must find the same documents whether or not an index can serve it. */
START_TEST(an_index_never_changes_an_answer)
{
    static const char *const filters[] = {"{\"k\": 1}",
                                          "{\"k\": null}",
                                          "{\"k\": {\"$in\": [1, \"a\", 2.5]}}",
                                          "{\"k\": {\"$gt\": 1}}",
                                          "{\"k\": {\"$lte\": 2.5}}",
                                          "{\"k\": {\"$gte\": \"a\"}}",
                                          "{\"k\": {\"$lt\": {\"$date\": 5000}}}",
                                          "{\"k\": [1, 2]}",
                                          "{\"k\": {\"$ne\": 1}}",
                                          "{\"k\": {\"$exists\": true}}",
                                          "{\"k\": {\"x\": 1}}",
                                          "{\"k\": {\"$gt\": 0, \"$lt\": 2}}",
                                          "{\"k.x\": 1}",
                                          "{\"k\": {\"$not\": {\"$gt\": 1}}}",
                                          "{\"k\": {\"$gte\": null}}",
                                          "{\"k\": true}"};
    static const char *const values[] = {"1",
                                         "2",
                                         "2.5",
                                         "-7",
                                         "{\"$numberLong\": \"9223372036854775807\"}",
                                         "\"a\"",
                                         "\"b\"",
                                         "null",
                                         "true",
                                         "false",
                                         "[1, 2]",
                                         "[]",
                                         "[3, \"a\"]",
                                         "{\"x\": 1}",
                                         "{\"$date\": 4000}",
                                         "{\"$oid\": \"000000000000000000000001\"}",
                                         "1e300",
                                         "0.25",
                                         "-0.25"};
    char filter[300];
    insert("{\"_id\": 0}");
    for (int i = 0; i < COUNT(values); i++) {
        char doc[200];
        snprintf(doc, sizeof doc, "{\"_id\": %d, \"k\": %s}", i + 1, values[i]);
        insert(doc);
    }
    snprintf(filter, sizeof filter, "\"filter\": %s,", filters[_i]);
    FIND(filter);
    bson_iter_t it, at;
    ck_assert(bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, "cursor.firstBatch", &at));
    bson_t without = BSON_INITIALIZER;
    bson_append_iter(&without, "v", 1, &at);
    ck_assert(ask("{\"createIndexes\": \"c\", \"indexes\": [{\"key\": {\"k\": 1}, \"name\": \"k_1\"}], "
                  "\"$db\": \"t\"}"));
    FIND(filter);
    ck_assert(bson_iter_init(&it, &reply) && bson_iter_find_descendant(&it, "cursor.firstBatch", &at));
    bson_t with = BSON_INITIALIZER;
    bson_append_iter(&with, "v", 1, &at);
    ck_assert_msg(bson_equal(&with, &without), "%s", filters[_i]);
    bson_destroy(&with);
    bson_destroy(&without);
}
END_TEST

/* A small generator: the values must be the same in every run. */
static uint32_t state = 12345;
static uint32_t any(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

static void any_value(bson_t *b, const char *key, int depth)
{
    static const double doubles[] = {0,      -0.0, 1,    -1, 0.5, -0.5, 1e20, -1e20, 9007199254740993.0,
                                     1e-300, 3.75, -3.75};
    static const char *const strings[] = {"", "a", "ab", "b", "\xc3\xa9", "A"};
    char index[12];
    bson_t child;
    switch (any(depth ? 9 : 7)) {
    case 0:
        bson_append_int32(b, key, -1, (int32_t)any(600) - 300);
        break;
    case 1:
        bson_append_int64(b, key, -1, (int64_t)any(UINT32_MAX) << any(31));
        break;
    case 2:
        bson_append_double(b, key, -1, doubles[any(COUNT(doubles))]);
        break;
    case 3:
        bson_append_utf8(b, key, -1, strings[any(COUNT(strings))], -1);
        break;
    case 4:
        bson_append_null(b, key, -1);
        break;
    case 5:
        bson_append_bool(b, key, -1, any(2));
        break;
    case 6:
        bson_append_date_time(b, key, -1, (int64_t)any(2000) - 1000);
        break;
    case 7:
        bson_append_array_begin(b, key, -1, &child);
        for (uint32_t i = 0, n = any(3); i < n; i++) {
            snprintf(index, sizeof index, "%u", i);
            any_value(&child, index, depth - 1);
        }
        bson_append_array_end(b, &child);
        break;
    default:
        bson_append_document_begin(b, key, -1, &child);
        for (uint32_t i = 0, n = any(3); i < n; i++) any_value(&child, i ? "b" : "a", depth - 1);
        bson_append_document_end(b, &child);
    }
}

START_TEST(encoded_keys_order_as_the_values_they_stand_for)
{
    for (int i = 0; i < 20000; i++) {
        bson_t a = BSON_INITIALIZER, b = BSON_INITIALIZER;
        struct kbuf ka, kb;
        any_value(&a, "v", 2);
        any_value(&b, "v", 2);
        struct val va = doc_get(val_doc(bson_get_data(&a)), "v"),
                   vb = doc_get(val_doc(bson_get_data(&b)), "v");
        kbuf_init(&ka);
        kbuf_init(&kb);
        keystring_put(&ka, va, false);
        keystring_put(&kb, vb, false);
        int want = val_cmp(va, vb), got = memcmp(ka.p, kb.p, ka.n < kb.n ? ka.n : kb.n);
        if (!got) got = (ka.n > kb.n) - (ka.n < kb.n);
        ck_assert_int_eq((want > 0) - (want < 0), (got > 0) - (got < 0));
        kbuf_fini(&ka);
        kbuf_fini(&kb);
        bson_destroy(&a);
        bson_destroy(&b);
    }
}
END_TEST

START_TEST(garbage_closes_its_connection_and_nothing_else)
{
    static const uint8_t heads[][16] = {{0},
                                        {0xFF, 0xFF, 0xFF, 0x7F},
                                        {15, 0, 0, 0},
                                        {16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xDD, 7},
                                        {16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xD4, 7},
                                        {16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0}};
    insert("{\"_id\": 1}");
    struct conn *good = conn;
    for (int i = 0; i < COUNT(heads); i++) {
        conn = conn_new(&server, -1);
        conn_feed(conn, heads[i], 16);
        ck_assert(conn->dead);
        conn_free(conn);
    }
    conn = good;
    FIND("");
    expect("cursor.firstBatch", "[ { \"_id\" : 1 } ]");
}
END_TEST

int main(void)
{
    TCase *running = tcase_create("running"), *values = tcase_create("values");
    tcase_add_checked_fixture(running, start, stop);
    tcase_add_test(running, a_frozen_majority_hides_what_was_written_since);
    tcase_add_test(running, a_majority_write_waits_until_the_majority_thaws);
    tcase_add_test(running, a_write_that_is_rolled_back_is_not_called_safe);
    tcase_add_test(running, a_rollback_undoes_what_no_majority_had);
    tcase_add_test(running, a_forgotten_oplog_ends_streams_that_stood_in_it);
    tcase_add_test(running, a_waiting_stream_ends_when_its_cursor_is_killed);
    tcase_add_test(running, counters_count_commands_by_their_names);
    tcase_add_test(running, a_file_keeps_documents_indexes_and_the_place_in_the_stream);
    tcase_add_test(running, garbage_closes_its_connection_and_nothing_else);
    tcase_add_loop_test(running, an_index_never_changes_an_answer, 0, 16);
    tcase_add_test(values, encoded_keys_order_as_the_values_they_stand_for);
    Suite *suite = suite_create("double_mongod");
    suite_add_tcase(suite, running);
    suite_add_tcase(suite, values);
    return suite_run(suite);
}
