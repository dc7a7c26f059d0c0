/*
 * test_stops.c - the daemon asked to end while MongoDB is silent, asked to read its configuration again, and
 * left by a primary.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "live/harness.h"

#define OTHER_MEMBER_MS 15000

static void open_two(struct live *w, const char *test)
{
    w->stand_ins = true;
    w->two_members = true;
    live_open(w, test);
}

/* On a member that still answers. */
static void ask_member(struct live *w, mongoc_client_t *member, const char *command)
{
    bson_error_t error;
    bson_t *what = bson_new_from_json((const uint8_t *)command, -1, &error);
    if (!what || !mongoc_client_command_simple(member, "admin", what, NULL, NULL, &error))
        FAIL(w, "%s: %s", command, error.message);
    bson_destroy(what);
}

static int64_t ends_after_ms(struct live *w, int64_t since_ms)
{
    WAIT_UNTIL(w, !process_runs(&w->daemon));
    w->daemon.pid = 0;
    return live_now_ms() - since_ms;
}

static const char swallow[] = J("lockstepDouble" : "swallowPrimary");

START_TEST(a_stop_ends_in_time_though_mongodb_swallows_everything)
{
    struct live w = {.folder = ""};
    int port;
    open_two(&w, "stop-swallowed");
    insert_made(&w, 0, 20);
    daemon_start(&w);
    live_in_sync(&w);
    mongoc_client_t *second = live_second_member(&w, &port);
    update(&w, J("id" : "made-1"), J("$set" : {"name" : "Changed"}));
    ask_member(&w, second, swallow);
    int64_t at_ms = live_now_ms();
    process_signal(&w.daemon, SIGTERM);
    EXPECT(&w, ends_after_ms(&w, at_ms) < 12000);
    EXPECT(&w, log_has(&w.daemon, "asked to stop"));
    mongoc_client_destroy(second);
    live_close(&w);
}
END_TEST

START_TEST(a_second_stop_does_not_wait)
{
    struct live w = {.folder = ""};
    int port;
    open_two(&w, "stop-twice");
    insert_made(&w, 0, 20);
    daemon_start(&w);
    live_in_sync(&w);
    mongoc_client_t *second = live_second_member(&w, &port);
    ask_member(&w, second, swallow);
    int64_t at_ms = live_now_ms();
    process_signal(&w.daemon, SIGTERM);
    while (live_now_ms() < at_ms + 1000) live_pause();
    process_signal(&w.daemon, SIGTERM);
    EXPECT(&w, ends_after_ms(&w, at_ms) < 7000);
    mongoc_client_destroy(second);
    live_close(&w);
}
END_TEST

/* Through the connection of a member, whatever its role was. */
static void insert_by(struct live *w, mongoc_client_t *member, const char *id)
{
    mongoc_collection_t *tools = mongoc_client_get_collection(member, w->database, "tools");
    bson_t *doc = BCON_NEW("id", BCON_UTF8(id), "name", BCON_UTF8(id));
    bson_error_t error;
    if (!mongoc_collection_insert_one(tools, doc, NULL, NULL, &error)) FAIL(w, "%s: %s", id, error.message);
    bson_destroy(doc);
    mongoc_collection_destroy(tools);
}

static void arrives(struct live *w, int64_t count, int64_t since_ms)
{
    WAIT_UNTIL(w, points(w, "tools") == count);
    EXPECT(w, live_now_ms() - since_ms < OTHER_MEMBER_MS);
}

static mongoc_client_t *open_set(struct live *w, const char *test)
{
    char uri[200];
    int port;
    open_two(w, test);
    snprintf(uri, sizeof uri, "mongodb://127.0.0.1:%d/?replicaSet=rs0", w->mongod.port);
    live_set(w, "mongodb", "uri", uri);
    insert_made(w, 0, 10);
    daemon_start(w);
    WAIT_UNTIL(w, points(w, "tools") == 10);
    return live_second_member(w, &port);
}

START_TEST(another_primary_is_found_after_a_step_down)
{
    struct live w = {.folder = ""};
    mongoc_client_t *second = open_set(&w, "step-down");
    int64_t at_ms = live_now_ms();
    admin(&w, J("replSetStepDown" : 60));
    insert_by(&w, second, "after-step-down");
    arrives(&w, 11, at_ms);
    daemon_stop(&w);
    mongoc_client_destroy(second);
    live_close(&w);
}
END_TEST

START_TEST(another_primary_is_found_when_the_first_falls_silent)
{
    struct live w = {.folder = ""};
    mongoc_client_t *second = open_set(&w, "silent-primary");
    int64_t at_ms = live_now_ms();
    ask_member(&w, second, swallow);
    insert_by(&w, second, "after-silence");
    arrives(&w, 11, at_ms);
    /* what waited for the silent member goes on, too: the stream is opened again elsewhere */
    WAIT_UNTIL(&w, log_has(&w.daemon, "MongoDB does not answer"));
    EXPECT(&w, live_now_ms() - at_ms < OTHER_MEMBER_MS);
    daemon_stop(&w);
    mongoc_client_destroy(second);
    live_close(&w);
}
END_TEST

/* ---- configurations that no start would survive ---- */

static const struct bad {
    const char *section, *key, *value, *says;
    int status;
} bads[] = {
    {"mongodb", "uri", "mongodb://127.0.0.1:99999", "URI", 2},
    {"mongodb", "uri", "mongodb://user:p@ss@127.0.0.1:1", "percent-encoded", 2},
    {"mongodb", "uri", "mongodb://127.0.0.1:1/?frobnicate=yes", "frobnicate", 2},
    {"mongodb", "uri", "mongodb://127.0.0.1:1/?retryWrites=perhaps", "perhaps", 2},
    {"mongodb", "uri", "mongodb://127.0.0.1:1/?maxPoolSize=many", "many", 2},
    {"mongodb", "uri", "mongodb://127.0.0.1:1/?tls=true&tlsCAFile=/nowhere/ca.pem", "/nowhere/ca.pem", 2},
    {"api", "listen", "127.0.0.1:IN-USE", "Address already in use", 1},
    {"api", "listen", "unix:/nowhere/api.sock", "No such file", 1},
    {"collection:tools", "plugin", "missing", "no plugin `missing`", 2},
    {"collection:tools", "watched", "name name", "watched", 2},
};
#define BAD_COUNT ((int)(sizeof bads / sizeof *bads))

static size_t times(const struct live_process *p, const char *text)
{
    struct buf log;
    size_t count = 0;
    buf_init(&log, 0);
    log_text(p, &log);
    for (const char *at = log.data; at && (at = strstr(at, text)); at++) count++;
    buf_fini(&log);
    return count;
}

static void set_bad(struct live *w, const struct bad *bad)
{
    char value[300];
    snprintf(value, sizeof value, "%s", bad->value);
    char *in_use = strstr(value, "IN-USE");
    if (in_use) snprintf(in_use, 8, "%d", w->qdrant.port);
    live_set(w, bad->section, bad->key, value);
}

START_TEST(config_check_finds_what_would_end_a_start)
{
    struct live w = {.folder = ""};
    live_open(&w, "bad-starts");
    for (int i = 0; i < BAD_COUNT; i++) {
        struct live tried = w; /* with settings of its own */
        tried.app = NULL;
        struct buf err, run;
        buf_init(&err, 0);
        buf_init(&run, 0);
        set_bad(&tried, &bads[i]);
        int status = live_command(&tried, NULL, &err, &err, "config", "check", NULL);
        if (status != bads[i].status || !strstr(err.data, bads[i].says) || strstr(err.data, "p@ss"))
            FAIL(&w, "%s: %d: %s", bads[i].value, status, err.data ? err.data : "");
        status =
            live_command(&tried, NULL, &run, &run, "run", NULL); /* ends by itself, for the same reason */
        if (status != bads[i].status || !strstr(run.data, bads[i].says))
            FAIL(&w, "%s: run: %d: %s", bads[i].value, status, run.data ? run.data : "");
        buf_fini(&err);
        buf_fini(&run);
    }
    live_ini(&w);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "config", "check", NULL), 0);
    live_close(&w);
}
END_TEST

static void every_line_is_json(struct live *w)
{
    struct buf log;
    buf_init(&log, 0);
    log_text(&w->daemon, &log);
    char *rest = log.data;
    for (char *line; (line = strsep(&rest, "\n"));) {
        json_t *one = *line ? json_loads(line, 0, NULL) : json_null();
        if (!one) FAIL(w, "not JSON: %s", line);
        json_decref(one);
    }
    buf_fini(&log);
}

START_TEST(sighup_never_ends_the_daemon)
{
    struct live w = {.folder = ""};
    live_open(&w, "sighup");
    live_set(&w, "log", "format", "json");
    insert_made(&w, 0, 5);
    daemon_start(&w);
    live_in_sync(&w);
    for (int i = 0; i < BAD_COUNT; i++) {
        struct live tried = w; /* with settings of its own */
        tried.app = NULL;
        size_t before = times(&w.daemon, "the new configuration is refused");
        set_bad(&tried, &bads[i]);
        live_ini(&tried);
        process_signal(&w.daemon, SIGHUP);
        WAIT_UNTIL(&w, times(&w.daemon, "the new configuration is refused") > before);
        EXPECT(&w, process_runs(&w.daemon));
        if (!log_has(&w.daemon, bads[i].says)) FAIL(&w, "the log does not say: %s", bads[i].says);
    }
    every_line_is_json(&w);
    /* the address that it has itself is in nobody's way */
    live_ini(&w);
    process_signal(&w.daemon, SIGHUP);
    WAIT_UNTIL(&w, log_has(&w.daemon, "the new configuration is good"));
    update(&w, J("id" : "made-1"), J("$set" : {"name" : "Renamed"}));
    live_in_sync(&w);
    EXPECT(&w, process_runs(&w.daemon));
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "config", "check", NULL), 0);
    daemon_stop(&w);
    live_close(&w);
}
END_TEST

START_TEST(all_that_is_wrong_is_said_in_one_run_with_the_line_of_each_key)
{
    struct live w = {.folder = ""};
    struct buf err;
    live_open(&w, "all-wrong");
    live_set(&w, "worker", "interval_ms", "soon");
    live_set(&w, "mongodb", "uri", "mongodb://127.0.0.1:99999");
    live_set(&w, "collection:tools", "payload", "collection");
    live_set(&w, "collection:usecases", "plugin", "missing");
    live_set(&w, "collection:interface", "sentences", "By {nobody}");
    buf_init(&err, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &err, &err, "config", "check", NULL), 2);
    static const char *const says[] = {
        "interval_ms", "URI", "payload: `collection`", "no plugin `missing`", "sentences: `By {nobody}`",
        "5 problems"};
    for (size_t i = 0; i < sizeof says / sizeof *says; i++)
        if (!strstr(err.data, says[i])) FAIL(&w, "not said: %s: %s", says[i], err.data);
    /* each names its key's own line */
    FILE *ini = fopen(live_ini(&w), "r");
    char line[2000], where[64];
    static const char *const keys[] = {"interval_ms = soon", "uri = ", "payload = collection",
                                       "sentences = By"};
    for (unsigned number = 1, found = 0; ini && fgets(line, sizeof line, ini); number++)
        for (size_t k = 0; k < 4; k++) {
            if (strncmp(line, keys[k], strlen(keys[k])) != 0) continue;
            snprintf(where, sizeof where, "lockstep.ini:%u: ", number);
            if (!strstr(err.data, where)) FAIL(&w, "no problem at %s (%s): %s", where, keys[k], err.data);
            ck_assert_uint_le(++found, 4);
        }
    if (ini) fclose(ini);
    buf_fini(&err);
    live_close(&w);
}
END_TEST

START_TEST(an_id_field_that_documents_do_not_have_is_noticed)
{
    struct live w = {.folder = ""};
    struct buf err;
    live_open(&w, "no-id");
    for (int i = 0; i < 5; i++) insert(&w, J("name" : "No id"));
    insert_made(&w, 0, 1);
    buf_init(&err, 0);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, &err, "config", "check", NULL), 0);
    EXPECT(&w, strstr(err.data, "5 of 6 documents have no `id`; did you mean `_id`?") != NULL);
    EXPECT(&w, strstr(err.data, "lockstep.ini:1: ") != NULL); /* [mongodb]: the key is not given */
    live_set(&w, "mongodb", "id_field", "slug");
    buf_clear(&err);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, &err, "config", "check", NULL), 0);
    EXPECT(&w, strstr(err.data, "5 of 6 documents have no `slug`; did you mean `_id`?") != NULL);
    char line[400], where[80] = "";
    FILE *ini = fopen(live_ini(&w), "r");
    for (unsigned number = 1; ini && fgets(line, sizeof line, ini); number++)
        if (strncmp(line, "id_field", 8) == 0) snprintf(where, sizeof where, "lockstep.ini:%u: ", number);
    if (ini) fclose(ini);
    EXPECT(&w, *where && strstr(err.data, where) != NULL);
    live_set(&w, "mongodb", "id_field", "_id");
    buf_clear(&err);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, &err, "config", "check", NULL), 0);
    EXPECT(&w, err.bytes == 0);
    buf_fini(&err);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_stop_ends_in_time_though_mongodb_swallows_everything,
        a_second_stop_does_not_wait,
        another_primary_is_found_after_a_step_down,
        another_primary_is_found_when_the_first_falls_silent,
        config_check_finds_what_would_end_a_start,
        sighup_never_ends_the_daemon,
        all_that_is_wrong_is_said_in_one_run_with_the_line_of_each_key,
        an_id_field_that_documents_do_not_have_is_noticed,
    };
    return live_main("stops", tests, sizeof tests / sizeof *tests);
}
