/* test_api_lists.c - the daemon's lists of documents and their state, and what puts documents in line to be
 * done again; wherever the records stand. */
#include <stdlib.h>
#include <string.h>

#include "live/calls.h"

enum place { IN_DOCUMENTS, BESIDE, SOME_REFUGED, PLACE_COUNT };

/* A world whose documents have their records there. */
static void open_place(struct live *w, const char *test, int place)
{
    live_open(w, test);
    live_set(w, "api", "listen", "127.0.0.1:0");
    live_set(w, "worker", "base_backoff_ms", "600000"); /* by itself nothing heals in time */
    live_set(w, "worker", "max_backoff_ms", "600000");
    if (place == BESIDE) live_set(w, "mongodb", "metadata", "sidecar");
    insert_made(w, 0, 30);
    if (place == SOME_REFUGED) /* the beta ones refuse a record */
        on_database(w,
                    J("collMod"
                      : "tools", "validationLevel"
                      : "strict", "validator"
                      : {"$or" : [ {"status" : {"$ne" : "beta"}}, {"syncMetadata" : {"$exists" : false}} ]}));
    daemon_start(w);
    live_in_sync(w);
}

static int64_t total(struct live *w, const struct live_process *server, const char *path)
{
    json_t *list = answer(w, server, 200, "GET", path, NULL);
    int64_t count = number(json_object_get(list, "pagination"), "total");
    EXPECT(w, !json_object_get(json_object_get(list, "pagination"), "atLeast"));
    json_decref(list);
    return count;
}

/* "id id id" of a page. */
static bool lists(struct live *w, const struct live_process *server, const char *path, const char *expected)
{
    char seen[1024] = "";
    size_t at = 0, i;
    json_t *list = answer(w, server, 200, "GET", path, NULL), *entry;
    json_array_foreach(json_object_get(list, "data"), i, entry) at +=
        (size_t)snprintf(seen + at, sizeof seen - at, "%s%s", at ? " " : "", text(entry, "id"));
    json_decref(list);
    if (strcmp(seen, expected) != 0) fprintf(stderr, "%s: %s\n", path, seen);
    return strcmp(seen, expected) == 0;
}

static json_t *entry_of(struct live *w, const struct live_process *server, const char *id)
{
    char path[128];
    snprintf(path, sizeof path, "/api/sync/tools/%s", id);
    return answer(w, server, 200, "GET", path, NULL);
}

static const json_t *target_of(const json_t *entry, const char *collection)
{
    return json_object_get(json_object_get(json_object_get(entry, "syncMetadata"), "collections"),
                           collection);
}

/* What one part of a document's record says under a name, as text or as a number. */
static bool target_says(struct live *w, const struct live_process *server, const char *id,
                        const char *collection, const char *name, const char *value)
{
    json_t *entry = entry_of(w, server, id);
    const json_t *target = target_of(entry, collection);
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)number(target, name));
    const char *says = json_is_integer(json_object_get(target, name)) ? digits : text(target, name);
    bool same = strcmp(says, value) == 0;
    json_decref(entry);
    return same;
}

/* Three documents fail in one collection, and others wait for it as stale or pending. */
static void make_trouble(struct live *w, const struct live_process *server)
{
    fault(w, &w->qdrant, J("collection" : "tools*", "count" : 0, "status" : 500));
    for (int i = 3; i < 9; i++) {
        char filter[64];
        snprintf(filter, sizeof filter, "{\"id\": \"made-%d\"}", i);
        update(w, filter, J("$set" : {"description" : "another one altogether"}));
        WAIT_UNTIL(w, total(w, server, "/api/sync/tools?status=synced&collection=tools") == 30 - (i - 2));
    }
    insert_made(w, 30, 2);
    WAIT_UNTIL(w, total(w, server, "/api/sync/tools?status=synced&collection=usecases") == 32);
}

/* What the counts say of a status; they come from another question to MongoDB. */
static int64_t counted(struct live *w, const struct live_process *server, const char *collection,
                       const char *status)
{
    json_t *all = answer(w, server, 200, "GET", "/api/sync/status", NULL);
    const json_t *of = collection ? json_object_get(json_object_get(all, "perCollection"), collection) : all;
    int64_t count = number(of, status);
    json_decref(all);
    return count;
}

static void lists_agree(int place)
{
    static const char *const statuses[] = {"synced", "pending", "stale", "failed"};
    struct live w = {.folder = ""};
    char path[128];
    open_place(&w, "lists", place);
    struct live_process server = api(&w);
    EXPECT_INT(&w,
               count_documents(&w, J("syncMetadata"
                                     : {"$exists" : true})),
               place == BESIDE         ? 0
               : place == SOME_REFUGED ? 15
                                       : 30);
    make_trouble(&w, &server);
    for (size_t s = 0; s < 4; s++) {
        snprintf(path, sizeof path, "/api/sync/tools?status=%s", statuses[s]);
        WAIT_UNTIL(&w, total(&w, &server, path) == counted(&w, &server, NULL, statuses[s]));
        for (size_t c = 0; c < LIVE_COLLECTIONS; c++) {
            snprintf(path, sizeof path, "/api/sync/tools?status=%s&collection=%s", statuses[s],
                     live_collections[c]);
            WAIT_UNTIL(&w,
                       total(&w, &server, path) == counted(&w, &server, live_collections[c], statuses[s]));
        }
    }
    EXPECT(&w, total(&w, &server, "/api/sync/tools?status=failed") > 0);
    EXPECT_INT(&w, total(&w, &server, "/api/sync/tools?status=synced"), 24);
    EXPECT_INT(&w, total(&w, &server, "/api/sync/tools?status=synced&search=made-1"), 11);
    EXPECT(&w, lists(&w, &server, "/api/sync/tools?status=failed&search=made-3&limit=1", "made-3"));
    json_t *worst = answer(&w, &server, 200, "GET", "/api/sync/tools?sort=status&limit=1", NULL);
    const json_t *first = json_array_get(json_object_get(worst, "data"), 0);
    EXPECT(&w, strcmp(text(json_object_get(first, "syncMetadata"), "overallStatus"), "failed") == 0);
    json_decref(worst);
    worst = answer(&w, &server, 200, "GET", "/api/sync/tools?sort=-updated&limit=1", NULL);
    first = json_array_get(json_object_get(worst, "data"), 0);
    EXPECT(&w, strcmp(text(json_object_get(first, "syncMetadata"), "overallStatus"), "synced") != 0);
    json_decref(worst);
    faults_clear_all(&w, &w.qdrant);
    json_decref(answer(&w, &server, 200, "POST", "/api/sync/all-pending", NULL));
    live_in_sync(&w);
    live_close(&w);
}

START_TEST(lists_and_counts_agree_on_every_status_of_every_collection)
{
    for (int place = 0; place < PLACE_COUNT; place++) lists_agree(place);
}
END_TEST

static void all_is_queued(int place)
{
    struct live w = {.folder = ""};
    open_place(&w, "all-pending", place);
    struct live_process server = api(&w);
    make_trouble(&w, &server);
    WAIT_UNTIL(&w, target_says(&w, &server, "made-3", "tools", "retryCount", "1"));
    json_t *reply = answer(&w, &server, 200, "POST", "/api/sync/all-pending", NULL);
    EXPECT_INT(&w, number(reply, "queued"), 8);
    EXPECT(&w, strstr(text(reply, "message"), "8 documents are queued") != NULL);
    json_decref(reply);
    faults_clear_all(&w, &w.qdrant);
    /* what failed waits for nothing but the circuit by now, not for its backoff of ten minutes */
    live_in_sync(&w);
    EXPECT(&w, target_says(&w, &server, "made-3", "tools", "retryCount", "0"));
    reply = answer(&w, &server, 200, "POST", "/api/sync/all-pending", NULL);
    EXPECT_INT(&w, number(reply, "queued"), 0);
    json_decref(reply);
    live_close(&w);
}

START_TEST(all_that_waits_is_queued_and_retry_counts_start_over)
{
    for (int place = 0; place < PLACE_COUNT; place++) all_is_queued(place);
}
END_TEST

static void reset_makes_anew(int place)
{
    struct live w = {.folder = ""};
    open_place(&w, "reset", place);
    struct live_process server = api(&w);
    counters_reset(&w);
    /* made-2 is one of those that fall back to the sidecar collection, made-1 isn't */
    json_t *reply = answer(&w, &server, 200, "POST", "/api/sync/reset/made-2", NULL);
    const json_t *tool = json_object_get(reply, "tool"), *metadata = json_object_get(tool, "syncMetadata");
    EXPECT(&w, *text(reply, "message") && strcmp(text(tool, "id"), "made-2") == 0);
    EXPECT(&w, strcmp(text(tool, "name"), "Made 2") == 0);
    EXPECT(&w, strcmp(text(metadata, "overallStatus"), "pending") == 0);
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) {
        const json_t *target = target_of(tool, live_collections[i]);
        EXPECT(&w, strcmp(text(target, "status"), "pending") == 0 && number(target, "retryCount") == 0);
        EXPECT(&w, json_is_null(json_object_get(target, "contentHash")));
    }
    json_decref(reply);
    WAIT_UNTIL(&w, target_says(&w, &server, "made-2", "tools", "vectorVersion", "2"));
    live_in_sync(&w);
    EXPECT_INT(&w, counters(&w).upserted, 4); /* all of this document's points, and nobody else's */
    json_decref(answer(&w, &server, 200, "POST", "/api/sync/reset/made-1", NULL));
    WAIT_UNTIL(&w, target_says(&w, &server, "made-1", "interface", "vectorVersion", "2"));
    live_in_sync(&w);
    EXPECT_INT(&w, counters(&w).upserted, 8);
    /* it has failed before: everything starts over */
    make_trouble(&w, &server);
    faults_clear_all(&w, &w.qdrant);
    json_decref(answer(&w, &server, 200, "POST", "/api/sync/reset/made-3", NULL));
    WAIT_UNTIL(&w, target_says(&w, &server, "made-3", "tools", "status", "synced"));
    EXPECT(&w, target_says(&w, &server, "made-3", "tools", "retryCount", "0"));
    live_close(&w);
}

START_TEST(a_reset_document_is_pending_everywhere_and_made_anew)
{
    for (int place = 0; place < PLACE_COUNT; place++) reset_makes_anew(place);
}
END_TEST

START_TEST(resets_meet_changes_of_the_same_documents_and_nothing_is_lost)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "reset-race");
    char path[64], filter[64], change[96];
    insert_made(&w, 0, 10);
    live_in_sync(&w);
    for (int i = 0; i < 60; i++) {
        snprintf(path, sizeof path, "/api/sync/reset/made-%d", i % 10);
        snprintf(filter, sizeof filter, "{\"id\": \"made-%d\"}", i % 10);
        snprintf(change, sizeof change, "{\"$set\": {\"description\": \"change %d\"}}", i);
        update(&w, filter, change);
        json_decref(answer(&w, &server, 200, "POST", path, NULL));
        if (i % 20 == 0) json_decref(answer(&w, &server, 200, "POST", "/api/sync/all-pending", NULL));
    }
    live_in_sync(&w);
    WAIT_UNTIL(&w, total(&w, &server, "/api/sync/tools?status=synced") == 10);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        lists_and_counts_agree_on_every_status_of_every_collection,
        all_that_waits_is_queued_and_retry_counts_start_over,
        a_reset_document_is_pending_everywhere_and_made_anew,
        resets_meet_changes_of_the_same_documents_and_nothing_is_lost,
    };
    return live_main("api lists", tests, sizeof tests / sizeof *tests);
}
