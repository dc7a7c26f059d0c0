/* test_status.c - what says how things are, for people and for other programs: `lockstep status`, /readyz and
 * /metrics; and that a source which is not there leaves nothing behind. */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

static int status_by_command(struct live *w, struct buf *out)
{
    buf_init(out, 0);
    int status = live_command(w, NULL, out, NULL, "status", NULL);
    buf_putc(out, '\0');
    return status;
}

static bool says(struct live *w, int expected, const char *words)
{
    struct buf out;
    bool fits = status_by_command(w, &out) == expected && (!words || strstr(out.data, words));
    buf_fini(&out);
    return fits;
}

/* "a b c": the collections of our database, sorted. */
static bool has_collections(struct live *w, const char *expected)
{
    char seen[512] = "";
    mongoc_database_t *database = mongoc_client_get_database(w->client, w->database);
    char **names = mongoc_database_get_collection_names_with_opts(database, NULL, NULL);
    for (size_t i = 0; names && names[i]; i++) {
        size_t at = strlen(seen);
        snprintf(seen + at, sizeof seen - at, "%s%s", at ? " " : "", names[i]);
    }
    bson_strfreev(names);
    mongoc_database_destroy(database);
    if (strcmp(seen, expected) != 0) fprintf(stderr, "there are: %s\n", seen);
    return strcmp(seen, expected) == 0;
}

static bool has_index(struct live *w, const char *collection, const char *name)
{
    bool found = false;
    const bson_t *row;
    bson_iter_t iter;
    mongoc_collection_t *c = mongoc_client_get_collection(w->client, w->database, collection);
    mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(c, NULL);
    while (mongoc_cursor_next(cursor, &row))
        if (bson_iter_init_find(&iter, row, "name") && strcmp(bson_iter_utf8(&iter, NULL), name) == 0)
            found = true;
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(c);
    return found;
}

/* How many collections there are in Qdrant. */
static size_t qdrant_collections(struct live *w)
{
    json_t *reply = NULL;
    EXPECT_INT(w, ask(w, &w->qdrant, "GET", "/collections", NULL, &reply), 200);
    size_t count = json_array_size(value_at(reply, "result.collections"));
    json_decref(reply);
    return count;
}

static void leaves_nothing(const char *metadata, const char *records)
{
    struct live w = {.folder = "", .stand_ins = true};
    live_open(&w, "status-nothing");
    listen_on_free_port(&w);
    live_set(&w, "mongodb", "metadata", metadata);
    daemon_start(&w);
    struct live_process server = api(&w);
    WAIT_UNTIL(&w, ask(&w, &server, "GET", "/readyz", NULL, NULL) == 200);
    WAIT_UNTIL(&w, ask(&w, &server, "POST", "/api/sync/worker/run", "{}", NULL) == 200);
    EXPECT(&w, has_collections(&w, "lockstep.state"));
    EXPECT_INT(&w, qdrant_collections(&w), 0);
    json_t *nothing = answer(&w, &server, 200, "GET", "/api/search?q=design", NULL);
    EXPECT_INT(&w, json_object_size(value_at(nothing, "errors")), 0);
    EXPECT_INT(&w, json_array_size(value_at(nothing, "fused")), 0);
    json_decref(nothing);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "search", "design", NULL), 0);
    EXPECT(&w, says(&w, 0, "warning NO_DOCUMENTS"));
    EXPECT(&w, !says(&w, 0, "QDRANT"));
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", NULL), 0);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "sync", NULL), 0);
    EXPECT_INT(&w, qdrant_collections(&w), 0);
    insert_made(&w, 0, 2);
    live_in_sync(&w);
    WAIT_UNTIL(&w, has_index(&w, records, "syncMetadata.overallStatus_1"));
    daemon_stop(&w);
    live_close(&w);
}

START_TEST(a_source_that_is_not_there_leaves_nothing_but_the_state)
{
    leaves_nothing("embedded", "tools");
    leaves_nothing("sidecar", "tools.lockstep");
}
END_TEST

/* One command alone, with no daemon, makes nothing either, and what is missing once a document is there. */
START_TEST(a_sync_of_nothing_makes_no_collection)
{
    struct live w = {.folder = "", .stand_ins = true};
    live_open(&w, "status-sync");
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "sync", NULL), 0);
    EXPECT(&w, has_collections(&w, "lockstep.state"));
    EXPECT_INT(&w, qdrant_collections(&w), 0);
    insert_made(&w, 0, 2);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "sync", NULL), 0);
    EXPECT_INT(&w, qdrant_collections(&w), LIVE_COLLECTIONS);
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

static bool state_has(struct live *w, const char *text_there)
{
    mongoc_collection_t *c = mongoc_client_get_collection(w->client, w->database, "lockstep.state");
    bson_t all = BSON_INITIALIZER;
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(c, &all, NULL, NULL);
    const bson_t *row;
    bool found = false;
    while (mongoc_cursor_next(cursor, &row)) {
        char *json = bson_as_canonical_extended_json(row, NULL);
        found |= strstr(json, text_there) != NULL;
        bson_free(json);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(c);
    return found;
}

/* A point that says it is of its document and is not, which counting does not show. */
static void spoil_a_point(struct live *w)
{
    static const char *const steps[][2] = {
        {"/collections/tools/points/payload?wait=true",
         J("payload"
           : {"hash" : "0123", "payload" : "4567"}, "key"
           : "_lockstep", "filter"
           : {"must" : [ {"key" : "_lockstep.key", "match" : {"value" : "made-1"}} ]})},
        {"/collections/tools/points/payload?wait=true",
         J("payload"
           : {"name" : "of another time"}, "filter"
           : {"must" : [ {"key" : "_lockstep.key", "match" : {"value" : "made-1"}} ]})}};
    for (size_t i = 0; i < 2; i++)
        EXPECT_INT(w, ask(w, &w->qdrant, "POST", steps[i][0], steps[i][1], NULL), 200);
    char *difference = live_difference(w);
    EXPECT(w, difference != NULL);
    free(difference);
}

START_TEST(points_of_another_server_are_compared)
{
    struct live w = {.folder = "", .stand_ins = true};
    char url[120];
    live_open(&w, "status-moved");
    listen_on_free_port(&w);
    insert_made(&w, 0, 3);
    daemon_start(&w);
    live_in_sync(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "sweep done")); /* nothing is left to compare */
    daemon_stop(&w);
    spoil_a_point(&w);
    daemon_start(&w); /* on the same server the records are believed */
    struct live_process server = api(&w);
    WAIT_UNTIL(&w, ask(&w, &server, "GET", "/readyz", NULL, NULL) == 200);
    WAIT_UNTIL(&w, ask(&w, &server, "POST", "/api/sync/worker/run", "{}", NULL) == 200);
    daemon_stop(&w);
    EXPECT(&w, !log_has(&w.daemon, "in another place than before"));
    char *difference = live_difference(&w);
    EXPECT(&w, difference != NULL);
    free(difference);
    counters_reset(&w);
    snprintf(url, sizeof url, "http://lockstep:open-sesame@localhost:%d/", w.qdrant.port);
    live_set(&w, "qdrant", "url", url);
    daemon_start(&w);
    live_in_sync(&w);
    EXPECT(&w, log_has(&w.daemon, "in another place than before"));
    EXPECT(&w, !log_has(&w.daemon, "sesame"));
    EXPECT(&w, counters(&w).texts <= 1); /* what was equal is not embedded */
    daemon_stop(&w);
    EXPECT(&w, state_has(&w, "/collections/tools"));
    EXPECT(&w, !state_has(&w, "sesame"));
    live_close(&w);
}
END_TEST

static bool metrics_have(struct live *w, const struct live_process *server, const char *text_there)
{
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    struct buf got;
    buf_init(&got, 0);
    int status = raw_call(w, server, request, sizeof request - 1, &got);
    buf_putc(&got, '\0');
    bool has = status == 200 && strstr(got.data, text_there);
    buf_fini(&got);
    return has;
}

START_TEST(a_standby_does_not_count_documents_again)
{
    struct live w = {.folder = ""};
    struct live_process first = open_with_api(&w, "status-standby");
    insert_made(&w, 0, 2);
    live_in_sync(&w);
    second_start(&w);
    struct live_process second = api_of(&w, &w.second);
    WAIT_UNTIL(&w, ask(&w, &second, "GET", "/readyz", NULL, NULL) == 200); /* ready to take over */
    EXPECT(&w, metrics_have(&w, &first, "\nlockstep_documents{"));
    EXPECT(&w, metrics_have(&w, &second, "\nlockstep_lease_held{source=\"tools\"} 0\n"));
    EXPECT(&w, !metrics_have(&w, &second, "\nlockstep_documents{"));
    daemon_stop(&w);
    WAIT_UNTIL(&w, metrics_have(&w, &second, "\nlockstep_documents{"));
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_source_that_is_not_there_leaves_nothing_but_the_state,
        a_sync_of_nothing_makes_no_collection,
        points_of_another_server_are_compared,
        a_standby_does_not_count_documents_again,
    };
    return live_main("status", tests, sizeof tests / sizeof *tests);
}
