/* test_byhand.c - what a person does by hand: sync of what is asked for, retry, verify, forget. */
#include <stdlib.h>
#include <string.h>

#include "live/harness.h"

#define FIGMA J("id" : "made-3")

static char *run_command(struct live *w, int *status, struct buf *err, const char *const *a)
{
    struct buf out;
    buf_init(&out, 0);
    *status = live_command(w, "", &out, err, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], NULL);
    return buf_take(&out, NULL);
}

/* The JSON that a command prints; it must end with this status. */
static json_t *json_of(struct live *w, int expected, const char *const *a)
{
    struct buf err;
    int status;
    buf_init(&err, 0);
    char *text = run_command(w, &status, &err, a);
    if (status != expected)
        FAIL(w, "%s ended with %d, not %d:\n%.1500s\n%.1500s", a[0], status, expected, text ? text : "",
             err.data ? err.data : "");
    json_t *json = json_loads(text ? text : "", 0, NULL);
    if (!json) FAIL(w, "%s printed no JSON: %s", a[0], text ? text : "");
    free(text);
    buf_fini(&err);
    return json;
}
#define JSON_OF(w, expected, ...) json_of(w, expected, (const char *const[9]){__VA_ARGS__, NULL})

/* The command must end with this status and say this, on either output. */
static void says(struct live *w, int line, int expected, const char *text, const char *const *a)
{
    struct buf err;
    int status;
    buf_init(&err, 0);
    char *out = run_command(w, &status, &err, a);
    if (status != expected || (text && !(out && strstr(out, text)) && !(err.data && strstr(err.data, text))))
        live_fail(w, __FILE__, line, "%s ended with %d (expected %d), without saying `%s`:\n%.1500s\n%.1500s",
                  a[0], status, expected, text ? text : "", out ? out : "", err.data ? err.data : "");
    free(out);
    buf_fini(&err);
}
#define SAYS(w, expected, text, ...)                                                                         \
    says(w, __LINE__, expected, text, (const char *const[9]){__VA_ARGS__, NULL})

/* A number in JSON by a path of keys. */
static int64_t number(const json_t *json, const char *const *keys)
{
    for (; *keys; keys++) json = json_object_get(json, *keys);
    return json_is_integer(json) ? json_integer_value(json) : -1;
}
#define NUMBER(json, ...) number(json, (const char *const[]){__VA_ARGS__, NULL})

/* What a person asks for is tried once, so a machine that is busy must not make it fail. */
static void open_patient(struct live *w, const char *test)
{
    live_open(w, test);
    live_set(w, "qdrant", "timeout_ms", "8000");
    live_set(w, "worker", "lease_ms", "20000");
}

/* Twenty documents in step, no daemon, counters from zero. */
static void open_in_step(struct live *w, const char *test)
{
    open_patient(w, test);
    insert_made(w, 0, 20);
    SAYS(w, 0, "20 documents", "sync");
    live_in_step(w);
    counters_reset(w);
}

/* The point id of a document, as its record has it. free() it. */
static char *point_of(struct live *w, const char *filter, const char *collection)
{
    char path[100];
    snprintf(path, sizeof path, "syncMetadata.collections.%s.pointId", collection);
    return document_text(w, filter, path);
}

static void post(struct live *w, const char *method, const char *path, const char *body)
{
    json_t *reply = NULL;
    long status = ask(w, &w->qdrant, method, path, body, &reply);
    if (status != 200) FAIL(w, "%s %s: %ld", method, path, status);
    json_decref(reply);
}

/* The Qdrant collection behind a name of ours, with what follows it in the path. */
static void on_points(struct live *w, const char *method, const char *collection, const char *what,
                      const char *body)
{
    char path[200];
    snprintf(path, sizeof path, "/collections/%s/points%s?wait=true", collection, what);
    post(w, method, path, body);
}

START_TEST(a_dry_run_says_what_a_sync_would_do_and_writes_nothing_anywhere)
{
    struct live w = {.folder = ""};
    open_patient(&w, "dry-run");
    insert_made(&w, 0, 7);
    json_t *plan = JSON_OF(&w, 0, "sync", "--dry-run", "--json");
    const json_t *source = json_object_iter_value(json_object_iter(plan));
    EXPECT_INT(&w, NUMBER(source, "documents"), 7);
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) {
        EXPECT_INT(&w, NUMBER(source, "collections", live_collections[i], "embed", "count"), 7);
        EXPECT_INT(&w, points(&w, live_collections[i]), -1);
    }
    json_decref(plan);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts + c.upserted + c.payloads + c.deleted, 0);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata" : {"$exists" : true})), 0);
    mongoc_collection_t *state = mongoc_client_get_collection(w.client, w.database, "lockstep.state");
    bson_t all = BSON_INITIALIZER;
    EXPECT_INT(&w, mongoc_collection_count_documents(state, &all, NULL, NULL, NULL, NULL), 0);
    bson_destroy(&all);
    mongoc_collection_destroy(state);
    live_close(&w);
}
END_TEST

START_TEST(a_dry_run_tells_new_texts_from_new_payloads_and_from_documents_that_went)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "dry-run-reasons");
    update(&w, J("id" : "made-1"), J("$set" : {"website" : "https://else.example"}));
    update(&w, J("id" : "made-2"), J("$set" : {"name" : "Another name altogether"}));
    delete_one(&w, J("id" : "made-4"));
    insert_made(&w, 50, 1);
    json_t *plan = JSON_OF(&w, 0, "sync", "--dry-run", "--json");
    const json_t *tools = json_object_get(
        json_object_get(json_object_iter_value(json_object_iter(plan)), "collections"), "tools");
    EXPECT_INT(&w, NUMBER(tools, "embed", "count"), 2);
    EXPECT_INT(&w, NUMBER(tools, "embed", "reasons", "new"), 1);
    EXPECT_INT(&w, NUMBER(tools, "embed", "reasons", "text changed"), 1);
    EXPECT_INT(&w, NUMBER(tools, "rewrite", "count"), 1);
    EXPECT_INT(&w, NUMBER(tools, "delete", "reasons", "document gone"), 1);
    json_decref(plan);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts + c.upserted + c.payloads + c.deleted, 0);
    SAYS(&w, 0, "20 documents", "sync");
    c = counters(&w);
    EXPECT_INT(&w, c.collection_upserted[0], 3); /* two with new vectors, one with a new payload */
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_dry_run_says_why_documents_are_not_valid)
{
    struct live w = {.folder = ""};
    open_patient(&w, "dry-run-invalid");
    insert_made(&w, 0, 1);
    insert(&w, J("_id" : 1, "name" : "No id"));
    insert(&w, J("_id" : 2, "id" : "made-0", "name" : "The same id"));
    json_t *plan = JSON_OF(&w, 0, "sync", "--dry-run", "--json");
    const json_t *tools = json_object_get(
        json_object_get(json_object_iter_value(json_object_iter(plan)), "collections"), "tools");
    const json_t *refusals = json_object_get(tools, "refusals");
    EXPECT_INT(&w, NUMBER(tools, "refused", "reasons", "not valid"), 2);
    EXPECT_INT(&w, json_array_size(refusals), 2);
    for (size_t i = 0; i < 2; i++)
        EXPECT(&w, strlen(json_string_value(json_object_get(json_array_get(refusals, i), "error"))) > 10);
    json_decref(plan);
    SAYS(&w, 0, "not valid: 1: the id field `id` is missing", "sync", "--dry-run");
    SAYS(&w, 0, "refused  1 (not valid: ", "sync", "--dry-run", "--id", "1");
    plan = JSON_OF(&w, 0, "sync", "--dry-run", "--json", "--id", "1");
    const json_t *parts = json_object_get(json_object_iter_value(json_object_iter(plan)), "parts");
    EXPECT(&w, json_is_string(json_object_get(json_array_get(parts, 0), "error")));
    json_decref(plan);
    live_close(&w);
}
END_TEST

START_TEST(a_dry_run_names_a_changed_model_and_foresees_vectors_that_do_not_fit)
{
    struct live w = {.folder = "", .stand_ins = true};
    open_in_step(&w, "dry-run-model");
    live_set(&w, "embedding", "document_prefix", "passage: ");
    update(&w, J("id" : "made-1"), J("$set" : {"name" : "Another name altogether"}));
    json_t *plan = JSON_OF(&w, 0, "sync", "--dry-run", "--json");
    const json_t *tools = json_object_get(
        json_object_get(json_object_iter_value(json_object_iter(plan)), "collections"), "tools");
    EXPECT_INT(&w, NUMBER(tools, "embed", "count"), 20);
    EXPECT_INT(&w, NUMBER(tools, "embed", "reasons", "model changed"), 20);
    EXPECT(&w, !json_object_get(tools, "doesNotFit"));
    json_decref(plan);
    process_kill(&w.embedder); /* which is asked for the size alone */
    SAYS(&w, 0, "20 model changed", "sync", "--dry-run");
    live_set(&w, "embedding", "dimensions", "32");
    SAYS(&w, 1, "does not fit: collection", "sync", "--dry-run", "--collection", "tools");
    plan = JSON_OF(&w, 1, "sync", "--dry-run", "--json");
    tools = json_object_get(json_object_get(json_object_iter_value(json_object_iter(plan)), "collections"),
                            "tools");
    EXPECT(&w, strstr(json_string_value(json_object_get(tools, "doesNotFit")),
                      "but size 32 with distance Cosine is wanted") != NULL);
    json_decref(plan);
    live_set(&w, "embedding", "dimensions", NULL);
    live_set(&w, "embedding", "provider", "hash"); /* whose size is its own */
    SAYS(&w, 1, "but size 256 with distance Cosine is wanted", "sync", "--dry-run");
    embedder_start(&w);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.upserted + c.payloads + c.deleted, 0);
    live_close(&w);
}
END_TEST

START_TEST(a_forced_sync_of_one_collection_embeds_that_one_alone)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "sync-force");
    SAYS(&w, 0, "20 embedded", "sync", "--force", "--collection", "usecases");
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.collection_upserted[2], 20);
    EXPECT_INT(&w, c.upserted, 20);
    live_in_step(&w);
    SAYS(&w, 2, "functionality", "sync", "--collection", "nonesuch");
    live_close(&w);
}
END_TEST

/* What a sync of one collection passes by must not be taken for seen by the next whole one. */
START_TEST(a_sync_of_one_collection_leaves_the_others_changes_to_the_next)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "sync-narrow");
    update(&w, FIGMA, J("$set" : {"name" : "Renamed", "categories" : ["Changed"]}));
    delete_one(&w, J("id" : "made-9"));
    SAYS(&w, 0, "1 embedded", "sync", "--collection", "functionality");
    EXPECT_INT(&w, points(&w, "functionality"), 19);
    SAYS(&w, 0, "19 documents", "sync");
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_sync_of_one_document_does_that_document_alone)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "sync-id");
    update(&w, J("id" : "made-1"), J("$set" : {"name" : "First"}));
    update(&w, J("id" : "made-2"), J("$set" : {"name" : "Second"}));
    SAYS(&w, 0, "embedded", "sync", "--id", "made-1");
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts, 1);
    EXPECT_INT(&w, c.collection_upserted[0], 1);
    SAYS(&w, 0, "20 documents", "sync");
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_retry_works_at_once_whatever_the_backoff_says)
{
    struct live w = {.folder = ""};
    open_patient(&w, "retry");
    live_set(&w, "worker", "base_backoff_ms", "86400000");
    live_set(&w, "worker", "max_backoff_ms", "86400000");
    insert_made(&w, 0, 5);
    fault(&w, &w.embedder, "{\"status\":500,\"count\":0}");
    SAYS(&w, 1, NULL, "sync");
    EXPECT_INT(&w, points(&w, "tools") > 0, 0);
    SAYS(&w, 1, "_UNAVAILABLE", "retry", "--id", "made-2", "--collection", "tools");
    faults_clear_all(&w, &w.embedder);
    json_t *list = JSON_OF(&w, 0, "retry", "--id", "made-2", "--json");
    EXPECT_INT(&w, json_array_size(list), 1);
    const json_t *one = json_array_get(list, 0);
    EXPECT(&w, strcmp(json_string_value(json_object_get(one, "toolId")), "made-2") == 0);
    EXPECT(&w, json_is_true(json_object_get(one, "success")));
    EXPECT_INT(&w, json_array_size(json_object_get(one, "collections")), LIVE_COLLECTIONS);
    json_decref(list);
    EXPECT(&w, document_says(&w, J("id" : "made-2"), "syncMetadata.overallStatus", "synced"));
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")), 1);
    live_close(&w);
}
END_TEST

START_TEST(a_retry_of_the_failed_takes_all_of_them_and_only_them)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "retry-failed");
    live_set(&w, "worker", "base_backoff_ms", "86400000");
    live_set(&w, "worker", "max_backoff_ms", "86400000");
    fault(&w, &w.embedder, "{\"status\":500,\"count\":0}");
    update(&w, J("id" : "made-5"), J("$set" : {"name" : "Five anew"}));
    SAYS(&w, 1, "EMBEDDING_UNAVAILABLE", "retry", "--id", "made-5");
    faults_clear_all(&w, &w.embedder);
    counters_reset(&w);
    json_t *list = JSON_OF(&w, 0, "retry", "--failed", "--json");
    EXPECT_INT(&w, json_array_size(list), 1);
    json_decref(list);
    EXPECT_INT(&w, counters(&w).upserted, 1);
    live_in_step(&w);
    SAYS(&w, 0, "nothing has failed", "retry", "--failed");
    live_close(&w);
}
END_TEST

START_TEST(a_retry_compares_with_the_point_itself_and_embeds_what_is_equal_only_when_forced)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "retry-point");
    SAYS(&w, 0, "already in step", "retry", "--id", "made-3");
    EXPECT_INT(&w, counters(&w).texts, 0);
    char *id = point_of(&w, FIGMA, "tools"), body[100];
    snprintf(body, sizeof body, "{\"points\":[\"%s\"]}", id);
    on_points(&w, "POST", "tools", "/delete", body);
    free(id);
    EXPECT_INT(&w, points(&w, "tools"), 19);
    SAYS(&w, 0, "embedded", "retry", "--id", "made-3");
    EXPECT_INT(&w, points(&w, "tools"), 20);
    counters_reset(&w);
    SAYS(&w, 0, "embedded", "retry", "--id", "made-3", "--force");
    EXPECT_INT(&w, counters(&w).upserted, LIVE_COLLECTIONS);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_retry_says_what_is_no_document_and_what_is_no_collection)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "retry-unknown");
    SAYS(&w, 1, "nonesuch", "retry", "--id", "nonesuch");
    SAYS(&w, 1, "already in step", "retry", "--id", "nonesuch", "--id", "made-1");
    SAYS(&w, 2, "tools, functionality, usecases, interface", "retry", "--id", "made-1", "--collection",
         "nonesuch");
    SAYS(&w, 2, "usage", "retry");
    live_close(&w);
}
END_TEST

START_TEST(verify_finds_every_way_of_being_out_of_step_and_repair_puts_it_right)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "verify");
    SAYS(&w, 0, "all in step", "verify");
    char *ids[6], body[2000];
    for (size_t i = 0; i < 6; i++) {
        char filter[40];
        snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", i);
        ids[i] = point_of(&w, filter, "tools");
    }
    /* missing */
    snprintf(body, sizeof body, "{\"points\":[\"%s\"]}", ids[0]);
    on_points(&w, "POST", "tools", "/delete", body);
    /* a payload that somebody changed, although its _lockstep is intact */
    snprintf(body, sizeof body, "{\"points\":[\"%s\"],\"payload\":{\"name\":\"Somebody's\"}}", ids[1]);
    on_points(&w, "POST", "tools", "/payload", body);
    /* somebody else's point in its place */
    snprintf(body, sizeof body, "{\"points\":[\"%s\"],\"payload\":{\"name\":\"Not ours\"}}", ids[2]);
    on_points(&w, "PUT", "tools", "/payload", body);
    /* stale, wrong payload, orphan: nobody follows */
    update(&w, J("id" : "made-3"), J("$set" : {"name" : "Another text"}));
    update(&w, J("id" : "made-4"), J("$set" : {"website" : "https://else.example"}));
    delete_one(&w, J("id" : "made-5"));
    /* the record says something else */
    update(&w, J("id" : "made-6"), J("$set" : {"syncMetadata.collections.tools.status" : "stale"}));
    counters_reset(&w);
    json_t *report = JSON_OF(&w, 1, "verify", "--collection", "tools", "--json");
    const json_t *source = json_object_iter_value(json_object_iter(json_object_get(report, "found")));
    const json_t *tools = json_object_get(json_object_get(source, "collections"), "tools");
    EXPECT_INT(&w, NUMBER(tools, "missing"), 1);
    EXPECT_INT(&w, NUMBER(tools, "wrong-payload"), 2);
    EXPECT_INT(&w, NUMBER(tools, "foreign"), 1);
    EXPECT_INT(&w, NUMBER(tools, "stale"), 1);
    EXPECT_INT(&w, NUMBER(tools, "orphan"), 1);
    EXPECT_INT(&w, NUMBER(tools, "record"), 1);
    EXPECT_INT(&w, NUMBER(tools, "inStep"), 19 - 6);
    json_decref(report);
    struct counters c = counters(&w);
    EXPECT_INT(&w, c.texts + c.upserted + c.payloads + c.deleted, 0);
    SAYS(&w, 0, "all in step", "verify", "--repair");
    c = counters(&w);
    /* missing, foreign, stale; two wrong payloads; and a stamp, as the record knew nothing */
    EXPECT_INT(&w, c.collection_upserted[0], 6);
    live_in_step(&w);
    for (size_t i = 0; i < 6; i++) free(ids[i]);
    live_close(&w);
}
END_TEST

START_TEST(a_sample_of_all_documents_finds_what_is_missing)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "verify-sample");
    SAYS(&w, 0, "5 documents", "verify", "--sample", "5");
    post(&w, "DELETE", "/collections/interface_v1", NULL);
    json_t *report = JSON_OF(&w, 1, "verify", "--sample", "20", "--json");
    const json_t *source = json_object_iter_value(json_object_iter(json_object_get(report, "found")));
    EXPECT_INT(&w, NUMBER(source, "collections", "interface", "missing"), 20);
    EXPECT_INT(&w, NUMBER(source, "collections", "tools", "inStep"), 20);
    json_decref(report);
    SAYS(&w, 0, "all in step", "verify", "--repair");
    live_in_step(&w);
    SAYS(&w, 2, "--sample", "verify", "--sample", "none");
    live_close(&w);
}
END_TEST

START_TEST(where_a_daemon_is_at_work_verify_reads_and_the_others_say_so)
{
    struct live w = {.folder = ""};
    live_open(&w, "lease");
    insert_made(&w, 0, 5);
    daemon_start(&w);
    live_in_step(&w);
    SAYS(&w, 0, "all in step", "verify");
    SAYS(&w, 1, "holds the lease", "retry", "--id", "made-1");
    SAYS(&w, 1, "holds the lease", "sync", "--collection", "tools");
    SAYS(&w, 0, "nothing was written", "sync", "--dry-run");
    daemon_stop(&w);
    SAYS(&w, 0, "already in step", "retry", "--id", "made-1");
    live_close(&w);
}
END_TEST

START_TEST(a_collection_that_was_switched_off_can_be_forgotten)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "forget");
    SAYS(&w, 2, "enabled = no", "forget", "--yes", "usecases");
    SAYS(&w, 2, "tools", "forget", "--yes", "nonesuch");
    live_set(&w, "collection:usecases", "enabled", "no");
    SAYS(&w, 1, "nothing was deleted", "forget", "usecases"); /* asked, and nobody said yes */
    EXPECT_INT(&w, points(&w, "usecases"), 20);
    SAYS(&w, 0, "20 entries and 20 points deleted", "forget", "--yes", "usecases");
    EXPECT_INT(&w, points(&w, "usecases"), -1);
    EXPECT_INT(&w, points(&w, "tools"), 20);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.collections.usecases" : {"$exists" : true})), 0);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.collections.tools.status" : "synced")), 20);
    SAYS(&w, 0, "0 entries and 0 points deleted", "forget", "--yes", "usecases");
    live_set(&w, "collection:usecases", "enabled", "yes");
    SAYS(&w, 0, "20 documents", "sync");
    EXPECT_INT(&w, points(&w, "usecases"), 20);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(points_of_others_outlive_a_collection_that_is_forgotten)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "forget-others");
    json_t *info = NULL;
    ask(&w, &w.qdrant, "GET", "/collections/interface", NULL, &info);
    int64_t dimensions = NUMBER(info, "result", "config", "params", "vectors", "size");
    json_decref(info);
    EXPECT(&w, dimensions > 0 && dimensions < 2000);
    char body[10000] = "{\"points\":[{\"id\":7,\"payload\":{\"mine\":true},\"vector\":[1";
    for (int64_t i = 1; i < dimensions; i++) strncat(body, ",0.5", sizeof body - strlen(body) - 1);
    strncat(body, "]}]}", sizeof body - strlen(body) - 1);
    on_points(&w, "PUT", "interface", "", body);
    live_set(&w, "collection:interface", "enabled", "no");
    SAYS(&w, 0, "20 points deleted", "forget", "--yes", "interface");
    EXPECT_INT(&w, points(&w, "interface"), 1);
    live_close(&w);
}
END_TEST

/* A collection that is switched off, and what else leads to its Qdrant collection. */
static void alias(struct live *w, const char *name, const char *collection)
{
    char body[200];
    snprintf(body, sizeof body,
             "{\"actions\":[{\"create_alias\":{\"collection_name\":\"%s\",\"alias_name\":\"%s\"}}]}",
             collection, name);
    EXPECT_INT(w, ask(w, &w->qdrant, "POST", "/collections/aliases", body, NULL), 200);
}

START_TEST(forget_keeps_what_an_enabled_collection_uses_under_another_name)
{
    struct live w = {.folder = "", .stand_ins = true};
    open_in_step(&w, "forget-shared");
    /* `usecases` goes on in the collection behind its alias, and `old` is the section it had before */
    live_set(&w, "collection:usecases", "qdrant_collection", "usecases_v1");
    live_set(&w, "collection:old", "plugin", "usecases");
    live_set(&w, "collection:old", "qdrant_collection", "usecases");
    live_set(&w, "collection:old", "enabled", "no");
    SAYS(&w, 0,
         "0 entries and 0 points deleted; the Qdrant collection stays, because the enabled collection "
         "usecases",
         "forget", "--yes", "old");
    EXPECT_INT(&w, points(&w, "usecases"), 20);
    live_close(&w);
}
END_TEST

START_TEST(forget_keeps_a_collection_to_which_another_alias_leads)
{
    struct live w = {.folder = "", .stand_ins = true};
    open_in_step(&w, "forget-alias");
    alias(&w, "shop", "usecases_v1");
    live_set(&w, "collection:usecases", "enabled", "no");
    SAYS(&w, 0, "20 points deleted; the Qdrant collection stays, because the alias \"shop\" leads to it",
         "forget", "--yes", "usecases");
    EXPECT_INT(&w, points(&w, "shop"), 0);
    live_close(&w);
}
END_TEST

START_TEST(without_aliases_a_collection_is_made_under_its_own_name)
{
    struct live w = {.folder = "", .stand_ins = true};
    live_set(&w, "qdrant", "alias", "no");
    open_in_step(&w, "plain");
    EXPECT_INT(&w, ask(&w, &w.qdrant, "GET", "/collections/usecases_v1", NULL, NULL), 404);
    json_t *reply = NULL;
    EXPECT_INT(&w, ask(&w, &w.qdrant, "GET", "/aliases", NULL, &reply), 200);
    EXPECT_INT(&w, json_array_size(json_object_get(json_object_get(reply, "result"), "aliases")), 0);
    json_decref(reply);
    char body[2000] = "{\"points\":[{\"id\":7,\"payload\":{\"mine\":true},\"vector\":[1";
    for (int i = 1; i < 64; i++) strncat(body, ",0.5", sizeof body - strlen(body) - 1);
    strncat(body, "]}]}", sizeof body - strlen(body) - 1);
    on_points(&w, "PUT", "usecases", "", body);
    SAYS(&w, 0, "1 points of others", "verify");
    live_set(&w, "collection:usecases", "enabled", "no");
    SAYS(&w, 0, "20 points deleted; the Qdrant collection stays, because it holds 1 points of others",
         "forget", "--yes", "usecases");
    EXPECT_INT(&w, points(&w, "usecases"), 1);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_dry_run_says_what_a_sync_would_do_and_writes_nothing_anywhere,
        a_dry_run_tells_new_texts_from_new_payloads_and_from_documents_that_went,
        a_dry_run_says_why_documents_are_not_valid,
        a_dry_run_names_a_changed_model_and_foresees_vectors_that_do_not_fit,
        a_forced_sync_of_one_collection_embeds_that_one_alone,
        a_sync_of_one_collection_leaves_the_others_changes_to_the_next,
        a_sync_of_one_document_does_that_document_alone,
        a_retry_works_at_once_whatever_the_backoff_says,
        a_retry_of_the_failed_takes_all_of_them_and_only_them,
        a_retry_compares_with_the_point_itself_and_embeds_what_is_equal_only_when_forced,
        a_retry_says_what_is_no_document_and_what_is_no_collection,
        verify_finds_every_way_of_being_out_of_step_and_repair_puts_it_right,
        a_sample_of_all_documents_finds_what_is_missing,
        where_a_daemon_is_at_work_verify_reads_and_the_others_say_so,
        a_collection_that_was_switched_off_can_be_forgotten,
        points_of_others_outlive_a_collection_that_is_forgotten,
        forget_keeps_what_an_enabled_collection_uses_under_another_name,
        forget_keeps_a_collection_to_which_another_alias_leads,
        without_aliases_a_collection_is_made_under_its_own_name,
    };
    return live_main("byhand", tests, sizeof tests / sizeof *tests);
}
