/*
 * test_others.c - what other programs and installations wrote: their `syncMetadata`, points restored from a
 * snapshot of another installation, and two installations that share the Qdrant collections by mistake.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "live/calls.h"
#include "live/harness.h"

/* ---- syncMetadata of another program ---- */

static void insert_foreign(struct live *w)
{
    insert(w, J("id" : "mine", "name" : "Without a record"));
    insert(w, J("id"
                : "theirs", "name"
                : "With a record of another program", "syncMetadata"
                : {"overallStatus" : "pending", "collections" : {"tools" : {"status" : "pending"}}}));
}

#define THEIRS                                                                                               \
    J("syncMetadata" : {"overallStatus" : "pending", "collections" : {"tools" : {"status" : "pending"}}})

static void is_refused(struct live *w, const char *command)
{
    struct buf out;
    buf_init(&out, 0);
    EXPECT_INT(w, live_command(w, NULL, NULL, &out, command, NULL), 2);
    EXPECT(w, strstr(out.data, "metadata = sidecar") && strstr(out.data, "adopt_metadata = yes"));
    buf_fini(&out);
    EXPECT_INT(w, count_documents(w, THEIRS), 1);
    EXPECT_INT(w, count_documents(w, J("syncMetadata" : {"$exists" : true})), 1); /* nothing was begun */
    EXPECT(w, points(w, "tools") <= 0);
}

START_TEST(a_first_start_over_the_records_of_another_program_is_refused)
{
    struct live w = {.folder = ""};
    live_open(&w, "foreign");
    insert_foreign(&w);
    is_refused(&w, "run");
    is_refused(&w, "sync");
    live_set(&w, "mongodb", "adopt_metadata", "yes");
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, count_documents(&w, THEIRS), 0);
    daemon_stop(&w);
    live_set(&w, "mongodb", "adopt_metadata", NULL);
    insert(&w, J("id"
                 : "late", "name"
                 : "After the first start", "syncMetadata"
                 : {"overallStatus" : "new"}));
    daemon_start(&w);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(records_of_another_program_are_left_alone_with_records_beside_them)
{
    struct live w = {.folder = ""};
    live_open(&w, "foreign-beside");
    live_set(&w, "mongodb", "metadata", "sidecar");
    insert_foreign(&w);
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, count_documents(&w, THEIRS), 1);
    live_close(&w);
}
END_TEST

/* ---- epochs of others ---- */

#define LATER 9000000000 /* an epoch that a lease of today does not have */

static void open_in_step(struct live *w, const char *test)
{
    live_open(w, test);
    insert_made(w, 0, 20);
    daemon_start(w);
    live_in_step(w);
    counters_reset(w);
}

/* As after a snapshot was restored that a daemon with a later lease wrote: the same points, with its epoch.
 */
static void restore_with(struct live *w, int64_t epoch)
{
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) {
        char path[200], body[120];
        snprintf(path, sizeof path, "/collections/%s%s/points/payload?wait=true", w->prefix,
                 live_collections[i]);
        snprintf(body, sizeof body, "{\"payload\":{\"epoch\":%lld},\"key\":\"_lockstep\",\"filter\":{}}",
                 (long long)epoch);
        EXPECT_INT(w, ask(w, &w->qdrant, "POST", path, body, NULL), 200);
    }
}

static int64_t lease_epoch(struct live *w)
{
    int64_t epoch = -1;
    const bson_t *row;
    bson_iter_t iter, value;
    bson_t filter = BSON_INITIALIZER;
    mongoc_collection_t *states = mongoc_client_get_collection(w->client, w->database, "lockstep.state");
    BSON_APPEND_UTF8(&filter, "_id", "tools");
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(states, &filter, NULL, NULL);
    if (mongoc_cursor_next(cursor, &row) && bson_iter_init(&iter, row) &&
        bson_iter_find_descendant(&iter, "lease.epoch", &value))
        epoch = bson_iter_as_int64(&value);
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(states);
    bson_destroy(&filter);
    EXPECT(w, epoch > 0);
    return epoch;
}

static void change_all_texts(struct live *w)
{
    for (int i = 0; i < 20; i++) {
        char filter[64];
        snprintf(filter, sizeof filter, "{\"id\":\"made-%d\"}", i);
        update(w, filter, J("$set" : {"tagline" : "Changed after the snapshot was restored"}));
    }
}

START_TEST(points_that_are_restored_while_the_daemon_runs_get_what_changes_then)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "restored");
    restore_with(&w, LATER);
    change_all_texts(&w);
    live_in_step(&w);
    EXPECT(&w, log_has(&w.daemon, "the lease was raised"));
    EXPECT(&w, !log_has(&w.daemon, "another installation writes"));
    live_close(&w);
}
END_TEST

START_TEST(points_that_are_restored_before_the_start_are_found_by_verify_and_by_the_daemon)
{
    struct live w = {.folder = ""};
    struct buf out;
    open_in_step(&w, "restored-before");
    daemon_stop(&w);
    restore_with(&w, LATER);
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "verify", NULL), 1);
    EXPECT(&w, strstr(out.data, "epochs up to 9000000000"));
    buf_clear(&out);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "verify", "--repair", NULL), 0);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", NULL), 0);
    buf_fini(&out);
    EXPECT_INT(&w, counters(&w).texts, 0); /* what is equal is not embedded */
    daemon_start(&w);
    change_all_texts(&w);
    live_in_step(&w);
    restore_with(&w, 2 * LATER); /* once more, and nobody verifies */
    daemon_stop(&w);
    change_all_texts(&w);
    daemon_start(&w);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* What the daemon recorded as synced was skipped; the next one's lease is above the restored points. */
START_TEST(what_was_skipped_before_a_daemon_died_is_written_by_the_next)
{
    struct live w = {.folder = ""};
    live_open(&w, "skipped");
    live_set(&w, "worker", "interval_ms", "86400000"); /* it does not count again */
    insert_made(&w, 0, 20);
    daemon_start(&w);
    live_in_step(&w);
    restore_with(&w, lease_epoch(&w) + 1);
    change_all_texts(&w);
    WAIT_UNTIL(&w,
               count_documents(&w, J("syncMetadata.overallStatus"
                                     : "synced", "syncMetadata.collections.tools.vectorVersion" : 2)) == 20);
    daemon_kill(&w);
    live_set(&w, "worker", "interval_ms", "500");
    daemon_start(&w);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* How often its daemon said this. */
static size_t told(struct live *w, const char *text)
{
    struct buf log;
    size_t count = 0;
    buf_init(&log, 0);
    log_text(&w->daemon, &log);
    for (const char *at = log.data; (at = strstr(at, text)) != NULL; at++) count++;
    buf_fini(&log);
    return count;
}

/* The same Qdrant, and the same name of database and collection on another MongoDB server. */
static void share(struct live *b, struct live *a)
{
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", a->qdrant.port);
    live_set(b, "qdrant", "url", url);
    b->qdrant.port = a->qdrant.port;
    snprintf(b->database, sizeof b->database, "%s", a->database);
    live_set(b, "mongodb", "database", b->database);
    mongoc_collection_destroy(b->tools);
    b->tools = mongoc_client_get_collection(b->client, b->database, "tools");
}

/* Both change what they have until one of them sees that it is not alone. */
static struct live *write_until_noticed(struct live *a, struct live *b)
{
    int64_t until_ms = live_now_ms() + LIVE_PATIENCE_MS;
    for (int i = 0; live_now_ms() < until_ms; i++) {
        char filter[64], change[96];
        snprintf(filter, sizeof filter, "{\"id\":\"made-%d\"}", 10 + i % 10);
        snprintf(change, sizeof change, "{\"$set\":{\"tagline\":\"Edited for the %dth time\"}}", i);
        update(i % 2 ? a : b, filter, change);
        if (shows_problem(a, "ANOTHER_WRITER")) return a;
        if (shows_problem(b, "ANOTHER_WRITER")) return b;
        for (int k = 0; k < 5; k++) live_pause();
    }
    FAIL(a, "neither saw the other");
}

/* Is there a point of this business id? */
static bool has_point(struct live *w, const char *id)
{
    char body[160];
    json_t *reply;
    snprintf(body, sizeof body,
             "{\"exact\":true,\"filter\":{\"must\":[{\"key\":\"toolId\",\"match\":{\"value\":\"%s\"}}]}}",
             id);
    EXPECT_INT(w, ask(w, &w->qdrant, "POST", "/collections/tools/points/count", body, &reply), 200);
    bool found = number_at(reply, "result.count") > 0;
    json_decref(reply);
    return found;
}

START_TEST(two_installations_on_one_qdrant_notice_each_other)
{
    struct live a = {.folder = "", .stand_ins = true}, b = {.folder = "", .stand_ins = true};
    live_open(&a, "two-a");
    live_set(&a, "api", "listen", "127.0.0.1:0");
    insert_made(&a, 0, 20);
    daemon_start(&a);
    live_in_step(&a);
    live_open(&b, "two-b");
    live_set(&b, "api", "listen", "127.0.0.1:0");
    share(&b, &a);
    insert_made(&b, 10, 20); /* half of the ids are those of the other */
    for (time_t now = time(NULL); time(NULL) == now;)
        live_pause(); /* in one second both get the same epoch */
    daemon_start(&b);
    struct live *knows = write_until_noticed(&a, &b), *other = knows == &a ? &b : &a;
    WAIT_UNTIL(&a, shows_problem(other, "EPOCH_RAISED"));
    size_t scans = told(knows, "scan done"), sweeps = told(knows, "sweep done");
    insert(other, J("id" : "new", "name" : "New, and no document of the first one"));
    WAIT_UNTIL(&a, has_point(&a, "new"));
    WAIT_UNTIL(&a, told(knows, "scan done") > scans);  /* everything is compared, */
    EXPECT_INT(&a, told(knows, "sweep done"), sweeps); /* and nothing swept */
    EXPECT(&a, has_point(&a, "new"));
    EXPECT(&a, shows_problem(knows, "ANOTHER_WRITER"));
    daemon_kill(other); /* found, and stopped */
    daemon_stop(knows);
    EXPECT_INT(&a, live_command(knows, NULL, NULL, NULL, "verify", "--repair", NULL), 0);
    daemon_start(knows);
    live_in_step(knows);
    live_close(&b);
    live_close(&a);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_first_start_over_the_records_of_another_program_is_refused,
        records_of_another_program_are_left_alone_with_records_beside_them,
        points_that_are_restored_while_the_daemon_runs_get_what_changes_then,
        points_that_are_restored_before_the_start_are_found_by_verify_and_by_the_daemon,
        what_was_skipped_before_a_daemon_died_is_written_by_the_next,
        two_installations_on_one_qdrant_notice_each_other};
    return live_main("others", tests, sizeof tests / sizeof tests[0]);
}
