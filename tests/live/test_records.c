/* test_records.c - what an application, or a person, does to records, and what they say afterwards. */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

#define NEW J("_id" : 1)
#define FIRST J("id" : "made-1")

static void open_in_step(struct live *w, const char *test)
{
    live_open(w, test);
    insert_made(w, 0, 10);
    daemon_start(w);
    live_in_step(w);
    counters_reset(w);
}

/* ---- overallStatus ---- */

/* An application that approves and rejects documents. No event tells of it. */
START_TEST(an_overall_status_that_an_application_wrote_is_put_right_once)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "overall");
    update(&w, FIRST, J("$set" : {"syncMetadata.overallStatus" : "pending"}));
    live_in_step(&w);
    int64_t corrected = document_int(&w, FIRST, "syncMetadata.updatedAt");
    EXPECT(&w, corrected > 0);
    /* each is found in a cycle of its own: what a correction leads to has happened by then */
    update(&w, J("id" : "made-2"), J("$set" : {"syncMetadata.overallStatus" : "failed"}));
    live_in_step(&w);
    update(&w, J("id" : "made-3"), J("$unset" : {"syncMetadata.overallStatus" : ""}));
    live_in_step(&w);
    EXPECT_INT(&w, document_int(&w, FIRST, "syncMetadata.updatedAt"), corrected);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts + c.upserted + c.payloads + c.deleted, 0);
    live_close(&w);
}
END_TEST

START_TEST(a_status_that_an_application_wrote_is_looked_into)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "status");
    /* neither is ever due, and the second does not even contradict itself */
    update(&w, FIRST, J("$set" : {"syncMetadata.collections.tools.status" : "failed"}));
    update(
        &w,
        J("id"
          : "made-2"),
        J("$set"
          : {"syncMetadata.overallStatus" : "failed", "syncMetadata.collections.tools.status" : "failed"}));
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 0);
    live_close(&w);
}
END_TEST

/* A whole document, as it was read once, is set field by field: its record no longer knows its points. */
START_TEST(a_record_that_is_written_together_with_other_fields_is_not_believed)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "beside");
    bson_t *old = find_one(&w, FIRST), change = BSON_INITIALIZER, set;
    bson_iter_t iter;
    update(&w, FIRST, J("$set" : {"name" : "Another name", "website" : "https://other.example"}));
    live_in_step(&w);
    BSON_APPEND_DOCUMENT_BEGIN(&change, "$set", &set);
    ck_assert(bson_iter_init(&iter, old));
    while (bson_iter_next(&iter))
        if (strcmp(bson_iter_key(&iter), "_id") != 0) bson_append_iter(&set, bson_iter_key(&iter), -1, &iter);
    bson_append_document_end(&change, &set);
    char *text = bson_as_canonical_extended_json(&change, NULL);
    update(&w, FIRST, text);
    live_in_step(&w);
    /* and one that changes nothing that any collection reads */
    update(&w, FIRST, J("$set" : {"contributor" : "eve", "syncMetadata.overallStatus" : "stale"}));
    live_in_step(&w);
    bson_free(text);
    bson_destroy(&change);
    bson_destroy(old);
    live_close(&w);
}
END_TEST

START_TEST(beside_documents_too_an_overall_status_is_put_right)
{
    struct live w = {.folder = ""};
    live_open(&w, "overall-sidecar");
    live_set(&w, "mongodb", "metadata", "sidecar");
    insert_made(&w, 0, 10);
    daemon_start(&w);
    live_in_step(&w);
    on_database(
        &w, J("update"
              : "tools.lockstep", "updates"
              : [ {"q" : {}, "u" : {"$set" : {"syncMetadata.overallStatus" : "stale"}}, "multi" : true} ]));
    WAIT_UNTIL(&w, count_in(&w, "tools.lockstep", J("syncMetadata.overallStatus" : "synced")) == 10);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(verify_tells_of_an_overall_status_and_repairs_it)
{
    struct live w = {.folder = ""};
    struct buf out;
    open_in_step(&w, "verify-overall");
    daemon_stop(&w);
    update(&w, FIRST, J("$set" : {"syncMetadata.overallStatus" : "stale"}));
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "verify", NULL), 1);
    EXPECT(&w, out.data && strstr(out.data, "overallStatus is not \"synced\""));
    EXPECT(&w, document_says(&w, FIRST, "syncMetadata.overallStatus", "stale"));
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", "--repair", NULL), 0);
    EXPECT(&w, document_says(&w, FIRST, "syncMetadata.overallStatus", "synced"));
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", NULL), 0);
    buf_fini(&out);
    live_close(&w);
}
END_TEST

/* ---- what waits for a change ---- */

#define ENTRY(field) "syncMetadata.collections.tools." field

/* It failed for good, and the record says so: with one attempt, and none to come. */
static bool waits_for_a_change(struct live *w, const char *filter, const char *code)
{
    return document_says(w, filter, ENTRY("errorCode"), code) &&
           document_int(w, filter, ENTRY("nextRetryAt")) < 0 &&
           document_int(w, filter, ENTRY("retryCount")) == 1;
}

static bool nothing_is_old(struct live *w, const struct live_process *server)
{
    json_t *reply = answer(w, server, 200, "GET", "/api/sync/worker/state", NULL);
    bool null = json_is_null(value_at(reply, "oldestUnsyncedSeconds"));
    json_decref(reply);
    return null;
}

START_TEST(sync_all_pending_tries_once_what_waits_for_a_change)
{
    struct live w = {.folder = ""};
    live_open(&w, "all-pending");
    listen_on_free_port(&w);
    fault(&w, &w.embedder,
          J("text"
            : "arsenic", "count" : 0, "status" : 400, "body"
            : {"error" : {"message" : "no"}}));
    insert_made(&w, 0, 5);
    insert(&w, J("_id" : "poison", "id" : "poison", "name" : "Of arsenic"));
    insert(&w, J("_id" : "nameless", "name" : "Without a business id"));
    daemon_start(&w);
    struct live_process server = api(&w);
    WAIT_UNTIL(&w, waits_for_a_change(&w, J("_id" : "poison"), "EMBEDDING_REJECTED"));
    WAIT_UNTIL(&w, waits_for_a_change(&w, J("_id" : "nameless"), "VALIDATION_ERROR"));
    for (int i = 0; i < 2; i++) {
        int64_t before = document_int(&w, J("_id" : "poison"), ENTRY("lastSyncAttemptAt"));
        int64_t other = document_int(&w, J("_id" : "nameless"), ENTRY("lastSyncAttemptAt"));
        json_decref(answer(&w, &server, 200, "POST", "/api/sync/all-pending", NULL));
        WAIT_UNTIL(&w, document_int(&w, J("_id" : "poison"), ENTRY("lastSyncAttemptAt")) > before);
        WAIT_UNTIL(&w, waits_for_a_change(&w, J("_id" : "poison"), "EMBEDDING_REJECTED"));
        WAIT_UNTIL(&w, document_int(&w, J("_id" : "nameless"), ENTRY("lastSyncAttemptAt")) > other);
        WAIT_UNTIL(&w, waits_for_a_change(&w, J("_id" : "nameless"), "VALIDATION_ERROR"));
        WAIT_UNTIL(&w, nothing_is_old(&w, &server));
    }
    live_close(&w);
}
END_TEST

/* ---- lastModifiedFields ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* True if these are the names, in their order, with a blank behind each. */
static bool names_are(struct live *w, const char *filter, const char *expected)
{
    const char *names[32];
    char text[600] = "";
    size_t count = 0, used = 0;
    bson_t *doc = find_one(w, filter);
    bson_iter_t root, at, list;
    if (doc && bson_iter_init(&root, doc) &&
        bson_iter_find_descendant(&root, "syncMetadata.lastModifiedFields", &at) &&
        bson_iter_recurse(&at, &list))
        while (count < 32 && bson_iter_next(&list)) names[count++] = bson_iter_utf8(&list, NULL);
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s ", names[i]);
    bson_destroy(doc);
    return strcmp(text, expected) == 0;
}

START_TEST(a_record_names_the_fields_that_changed_last)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "names");
    WAIT_UNTIL(&w, log_has(&w.daemon, "following the change stream"));
    insert(&w, J("_id" : 1, "id" : "new", "name" : "New", "contributor" : "ada", "rating" : {"stars" : 5}));
    WAIT_UNTIL(&w, names_are(&w, NEW, "contributor id name rating "));
    live_in_step(&w);
    counters_reset(&w);
    update(&w, NEW, J("$set" : {"rating.stars" : 4}));
    WAIT_UNTIL(&w, names_are(&w, NEW, "rating "));
    update(&w, NEW, J("$unset" : {"contributor" : ""}));
    WAIT_UNTIL(&w, names_are(&w, NEW, "contributor "));
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts + c.upserted + c.payloads + c.deleted, 0);
    update(&w, NEW, J("$set" : {"website" : "https://new.example", "tagline" : "It is new"}));
    WAIT_UNTIL(&w, names_are(&w, NEW, "tagline website "));
    replace(&w, NEW, J("_id" : 1, "id" : "new", "name" : "Newer"));
    WAIT_UNTIL(&w, names_are(&w, NEW, "id name "));
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(names_are_those_of_business_fields_alone)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "names-alone");
    WAIT_UNTIL(&w, log_has(&w.daemon, "following the change stream"));
    update(&w, FIRST, J("$set" : {"name" : "Approved", "syncMetadata.overallStatus" : "pending"}));
    WAIT_UNTIL(&w, names_are(&w, FIRST, "name "));
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* ---- when a point was written ---- */

/* The `timestamp` of the first point; free() it. */
static char *timestamp(struct live *w, const char *collection)
{
    json_t *reply = NULL;
    char path[100];
    snprintf(path, sizeof path, "/collections/%s/points/scroll", collection);
    EXPECT_INT(w, ask(w, &w->qdrant, "POST", path, J("limit" : 1, "with_payload" : true), &reply), 200);
    char *copy = strdup(text_at(reply, "result.points.0.payload.timestamp"));
    json_decref(reply);
    return copy;
}

START_TEST(a_point_says_when_it_was_written_and_is_not_written_for_that)
{
    struct live w = {.folder = ""};
    live_open(&w, "timestamp");
    live_set(&w, "collection:interface", "payload", "name, website as timestamp");
    insert_made(&w, 0, 10);
    daemon_start(&w);
    live_in_step(&w);
    char *ours = timestamp(&w, "tools"), *own = timestamp(&w, "interface");
    EXPECT(&w, strlen(ours) == strlen("2026-01-01T00:00:00.000Z") && ours[10] == 'T' && ours[23] == 'Z');
    EXPECT(&w, strncmp(own, "http", 4) == 0);
    free(ours);
    free(own);
    daemon_stop(&w);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", NULL), 0);
    /* as an earlier version wrote them */
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "POST", "/collections/tools/points/payload/delete?wait=true",
                   J("keys"
                     : ["timestamp"], "filter"
                     : {}),
                   NULL),
               200);
    ours = timestamp(&w, "tools");
    EXPECT(&w, !*ours);
    free(ours);
    counters_reset(&w);
    EXPECT_INT(&w, live_command(&w, NULL, NULL, NULL, "verify", "--repair", NULL), 0);
    EXPECT_INT(&w, counters(&w).upserted, 0);
    daemon_start(&w);
    update(&w, FIRST, J("$set" : {"logoUrl" : "https://later.example/logo"}));
    live_in_step(&w);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.collection_upserted[0], 1);
    EXPECT_INT(&w, c.texts, 0);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_overall_status_that_an_application_wrote_is_put_right_once,
        a_status_that_an_application_wrote_is_looked_into,
        a_record_that_is_written_together_with_other_fields_is_not_believed,
        beside_documents_too_an_overall_status_is_put_right,
        verify_tells_of_an_overall_status_and_repairs_it,
        sync_all_pending_tries_once_what_waits_for_a_change,
        a_record_names_the_fields_that_changed_last,
        names_are_those_of_business_fields_alone,
        a_point_says_when_it_was_written_and_is_not_written_for_that,
    };
    return live_main("records", tests, sizeof tests / sizeof *tests);
}
