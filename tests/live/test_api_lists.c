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

START_TEST(a_list_has_pages_and_a_search_and_an_order)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "list-pages");
    insert_made(&w, 0, 45);
    insert(&w, J("id" : 4711, "name" : "Odd (one)", "slug" : "odd.one"));
    live_in_sync(&w);
    json_t *list = answer(&w, &server, 200, "GET", "/api/sync/tools", NULL);
    const json_t *pages = json_object_get(list, "pagination");
    EXPECT_INT(&w, json_array_size(json_object_get(list, "data")), 20);
    EXPECT(&w, number(pages, "page") == 1 && number(pages, "limit") == 20 && number(pages, "total") == 46 &&
                   number(pages, "totalPages") == 3);
    json_decref(list);
    list = answer(&w, &server, 200, "GET", "/api/sync/tools?page=3", NULL);
    EXPECT_INT(&w, json_array_size(json_object_get(list, "data")), 6);
    json_decref(list);
    list = answer(&w, &server, 200, "GET", "/api/sync/tools?page=4", NULL);
    EXPECT_INT(&w, json_array_size(json_object_get(list, "data")), 0);
    EXPECT_INT(&w, number(json_object_get(list, "pagination"), "total"), 46);
    json_decref(list);
    EXPECT(&w, lists(&w, &server, "/api/sync/tools?sort=-id&limit=2", "made-9 made-8"));
    static const struct {
        const char *path;
        int64_t page, limit, rows;
    } clamped[] = {{"/api/sync/tools?limit=101", 1, 100, 46},
                   {"/api/sync/tools?limit=99999999999999999999", 1, 100, 46},
                   {"/api/sync/tools?limit=0", 1, 1, 1},
                   {"/api/sync/tools?page=0", 1, 20, 20},
                   {"/api/sync/tools?page=-7", 1, 20, 20},
                   {"/api/sync/tools?page=99999999999999999999", 1000000, 20, 0},
                   {"/api/sync/tools?status=all&collection=all&limit=50", 1, 50, 46},
                   {"/api/sync/tools?status=synced&collection=all", 1, 20, 20},
                   {"/api/sync/tools?status=all&collection=tools", 1, 20, 20},
                   {"/api/tools?limit=1000", 1, 100, 46},
                   {"/api/tools?page=0&limit=-1", 1, 1, 1}};
    for (size_t i = 0; i < sizeof clamped / sizeof *clamped; i++) {
        list = answer(&w, &server, 200, "GET", clamped[i].path, NULL);
        if (number_at(list, "pagination.page") != clamped[i].page ||
            number_at(list, "pagination.limit") != clamped[i].limit ||
            (int64_t)json_array_size(json_object_get(list, "data")) != clamped[i].rows)
            FAIL(&w, "%s", clamped[i].path);
        json_decref(list);
    }
    EXPECT(&w, lists(&w, &server, "/api/sync/tools?sort=-name&limit=2", "4711 made-9"));
    EXPECT(&w,
           lists(&w, &server, "/api/sync/tools?search=MADE-4&limit=3&sort=-id", "made-44 made-43 made-42"));
    EXPECT(&w, lists(&w, &server, "/api/sync/tools?search=(ONE", "4711"));
    EXPECT(&w, lists(&w, &server, "/api/sync/tools?search=4711", "4711"));
    EXPECT(&w, lists(&w, &server, "/api/sync/tools?search=d.*1", ""));
    json_t *odd = answer(&w, &server, 200, "GET", "/api/sync/tools/odd.one", NULL); /* by its slug */
    const json_t *target = target_of(odd, "interface");
    EXPECT(&w, strcmp(text(odd, "id"), "4711") == 0 && strcmp(text(odd, "name"), "Odd (one)") == 0);
    EXPECT(&w, json_object_size(json_object_get(json_object_get(odd, "syncMetadata"), "collections")) == 4);
    EXPECT(&w,
           strcmp(text(target, "status"), "synced") == 0 && json_is_null(json_object_get(target, "pointId")));
    EXPECT(&w, *text(json_object_get(odd, "syncMetadata"), "updatedAt"));
    json_decref(odd);
    update(&w, J("id" : 4711), J("$set" : {"tagline" : "new", "contributor" : "x"}));
    live_in_sync(&w);
    odd = answer(&w, &server, 200, "GET", "/api/sync/tools/4711", NULL);
    const json_t *modified = json_object_get(json_object_get(odd, "syncMetadata"), "lastModifiedFields");
    EXPECT(&w, json_array_size(modified) > 0);
    json_decref(odd);
    live_close(&w);
}
END_TEST

static const struct {
    const char *method, *path;
    int status;
    const char *code, *names;
} bad[] = {
    {"GET", "/api/sync/tools?status=odd", 400, "BAD_REQUEST", "status"},
    {"GET", "/api/sync/tools?status=", 400, "BAD_REQUEST", "status"},
    {"GET", "/api/sync/tools?status=failed&collection=toolz", 400, "INVALID_COLLECTION", "toolz"},
    {"GET", "/api/sync/tools?status=ALL", 400, "BAD_REQUEST", "ALL"},
    {"GET", "/api/sync/tools?page=first", 400, "BAD_REQUEST", "page"},
    {"GET", "/api/sync/tools?limit=1.5", 400, "BAD_REQUEST", "limit"},
    {"GET", "/api/sync/tools?limit=ten", 400, "BAD_REQUEST", "limit"},
    {"GET", "/api/sync/tools?sort=weight", 400, "BAD_REQUEST", "sort"},
    {"GET", "/api/sync/tools?sort=", 400, "BAD_REQUEST", "sort"},
    {"GET", "/api/sync/toolz", 404, "UNKNOWN_SOURCE", "source"},
    {"GET", "/api/sync/tools/nobody", 404, "NOT_FOUND", "nobody"},
    {"DELETE", "/api/sync/tools", 405, "METHOD_NOT_ALLOWED", "GET"},
    {"POST", "/api/sync/all-pending?source=toolz", 404, "UNKNOWN_SOURCE", "source"},
    {"GET", "/api/sync/all-pending", 405, "METHOD_NOT_ALLOWED", "POST"},
    {"POST", "/api/sync/reset/nobody", 404, "NOT_FOUND", "nobody"},
    {"POST", "/api/sync/reset/shared", 409, "AMBIGUOUS", "b, c"},
    {"POST", "/api/sync/tools/shared/retry", 409, "AMBIGUOUS", "b, c"},
    {"GET", "/api/sync/tools/shared", 409, "AMBIGUOUS", "b, c"},
    {"GET", "/api/sync/tools/shared/compare", 409, "AMBIGUOUS", "b, c"},
};

START_TEST(bad_questions_are_answered_with_what_is_wrong)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "lists-bad");
    char path[400] = "/api/sync/tools?search=";
    insert(&w, J("id" : "a", "slug" : "slug-only", "name" : "A"));
    insert(&w, J("id" : "b", "slug" : "shared"));
    insert(&w, J("id" : "c", "slug" : "shared"));
    live_in_sync(&w);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *reply = answer(&w, &server, bad[i].status, bad[i].method, bad[i].path, NULL);
        if (strcmp(text(reply, "code"), bad[i].code) != 0 || !strstr(text(reply, "error"), bad[i].names))
            FAIL(&w, "%s: %s: %s", bad[i].path, text(reply, "code"), text(reply, "error"));
        json_decref(reply);
    }
    memset(path + strlen(path), 'x', 201);
    json_decref(answer(&w, &server, 400, "GET", path, NULL));
    json_t *reset = answer(&w, &server, 200, "POST", "/api/sync/reset/slug-only", NULL);
    EXPECT(&w, strcmp(text_at(reset, "tool.id"), "a") == 0);
    json_decref(reset);
    json_t *retried = answer(&w, &server, 200, "POST", "/api/sync/tools/slug-only/retry", NULL);
    EXPECT(&w, strcmp(text(retried, "toolId"), "a") == 0);
    json_decref(retried);
    live_close(&w);
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

START_TEST(what_was_rejected_is_tried_again_when_a_person_asks)
{
    struct live w = {.folder = ""};
    struct live_process server = open_with_api(&w, "rejected");
    insert_made(&w, 0, 3);
    live_in_sync(&w);
    fault(&w, &w.embedder,
          J("text"
            : "poison", "count" : 0, "status" : 400, "body"
            : {"error" : {"message" : "this input can't be embedded"}}));
    update(&w, J("id" : "made-1"), J("$set" : {"description" : "poison"}));
    WAIT_UNTIL(&w, target_says(&w, &server, "made-1", "tools", "errorCode", "EMBEDDING_REJECTED"));
    faults_clear_all(&w, &w.embedder);
    EXPECT(&w, target_says(&w, &server, "made-1", "tools", "nextRetryAt", "")); /* waits for a change */
    json_decref(answer(&w, &server, 200, "POST", "/api/sync/all-pending?source=tools", NULL));
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

static void reset_makes_anew(int place)
{
    struct live w = {.folder = ""};
    open_place(&w, "reset", place);
    struct live_process server = api(&w);
    counters_reset(&w);
    /* made-2 is one of those that take refuge, made-1 isn't */
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

START_TEST(a_process_without_the_lease_lists_resets_and_queues_for_the_one_that_has_it)
{
    struct live w = {.folder = ""};
    live_open(&w, "follower");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    insert_made(&w, 0, 5);
    daemon_start(&w);
    live_in_sync(&w);
    second_start(&w);
    struct live_process first = api(&w), second = api_of(&w, &w.second);
    WAIT_UNTIL(&w, total(&w, &second, "/api/sync/tools?status=synced") == 5);
    json_t *reply = answer(&w, &second, 200, "POST", "/api/sync/reset/made-4", NULL);
    json_decref(reply);
    WAIT_UNTIL(&w, target_says(&w, &first, "made-4", "tools", "vectorVersion", "2"));
    live_in_sync(&w);
    reply = answer(&w, &second, 200, "POST", "/api/sync/all-pending", NULL);
    EXPECT_INT(&w, number(reply, "queued"), 0);
    json_decref(reply);
    live_close(&w);
}
END_TEST

START_TEST(each_source_has_its_own_list)
{
    struct live w = {.folder = ""};
    live_open(&w, "list-sources");
    live_set(&w, "api", "listen", "127.0.0.1:0");
    live_set(&w, "source:people", "collection", "people");
    live_set(&w, "source:people", "database", w.database);
    live_set(&w, "collection:skills", "plugin", "fields");
    live_set(&w, "collection:skills", "source", "people");
    live_set(&w, "collection:skills", "watched", "name 2, skills");
    live_set(&w, "collection:skills", "payload", "name");
    insert_made(&w, 0, 3);
    on_database(&w, J("insert"
                      : "people", "documents"
                      : [ {"_id" : 1, "id" : "ada", "name" : "Ada", "skills" : ["engines"]} ]));
    daemon_start(&w);
    live_in_sync(&w);
    struct live_process server = api(&w);
    EXPECT(&w, lists(&w, &server, "/api/sync/people", "ada"));
    EXPECT(&w, lists(&w, &server, "/api/sync/tools", "made-0 made-1 made-2"));
    EXPECT_INT(&w, total(&w, &server, "/api/sync/people?status=synced&collection=skills"), 1);
    json_decref(answer(&w, &server, 400, "GET", "/api/sync/people?collection=tools", NULL));
    json_decref(answer(&w, &server, 404, "POST", "/api/sync/reset/ada", NULL));
    json_decref(answer(&w, &server, 200, "POST", "/api/sync/reset/ada?source=people", NULL));
    live_in_sync(&w);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        lists_and_counts_agree_on_every_status_of_every_collection,
        all_that_waits_is_queued_and_retry_counts_start_over,
        a_reset_document_is_pending_everywhere_and_made_anew,
        a_list_has_pages_and_a_search_and_an_order,
        bad_questions_are_answered_with_what_is_wrong,
        what_was_rejected_is_tried_again_when_a_person_asks,
        resets_meet_changes_of_the_same_documents_and_nothing_is_lost,
        a_process_without_the_lease_lists_resets_and_queues_for_the_one_that_has_it,
        each_source_has_its_own_list,
    };
    return live_main("api lists", tests, sizeof tests / sizeof *tests);
}
