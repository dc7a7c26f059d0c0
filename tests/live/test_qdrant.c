/* test_qdrant.c - Qdrant as it may be met: with a key, strict, of other versions, shaped otherwise, garbled.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/harness.h"

#define ENTRY(collection, key) "syncMetadata.collections." collection "." key

static void open_in_step(struct live *w, const char *test)
{
    live_open(w, test);
    insert_made(w, 0, 40);
    daemon_start(w);
    live_in_step(w);
    counters_reset(w);
}

/* Everything a document can go through. */
static void live_through_everything(struct live *w)
{
    insert_made(w, 100, 20);
    update(w, J("id" : "made-1"), J("$set" : {"categories" : ["Embedded again"]}));
    update(w, J("id" : "made-2"), J("$set" : {"website" : "https://payload.example"}));
    update(w, J("id" : "made-3"), J("$set" : {"id" : "moved"}));
    update(w, J("id" : "made-4"), J("$unset" : {"industries" : 1, "userTypes" : 1, "deployment" : 1}));
    delete_one(w, J("id" : "made-5"));
    insert(w, J("_id" : 0, "id" : "made-6", "name" : "The lower owner", "status" : "beta"));
    live_in_step(w);
    delete_one(w, J("_id" : 0));
    update(w, J("id" : "moved"), J("$set" : {"id" : "made-3"}));
    live_in_step(w);
}

/* ---- keys ---- */

static void set_key(struct live *w, const char *key)
{
    live_set(w, "qdrant", "api_key", key);
    daemon_start(w);
}

static void expect_no_points(struct live *w)
{
    for (size_t i = 0; i < LIVE_COLLECTIONS; i++) EXPECT(w, points(w, live_collections[i]) <= 0);
}

START_TEST(a_key_is_asked_for_named_when_it_is_wrong_and_never_shown)
{
    static const char *const wrong[] = {NULL, "hush-another", "hush-reader"};
    struct live w = {.folder = "", .qdrant_api_key = "hush-right", .qdrant_read_only_key = "hush-reader"};
    live_open(&w, "api-key");
    insert_made(&w, 0, 20);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        set_key(&w, wrong[i]);
        WAIT_UNTIL(&w, log_has(&w.daemon, "check `api_key`"));
        EXPECT(&w, log_has(&w.daemon, i < 2 ? "HTTP 401" : "HTTP 403"));
        EXPECT(&w, process_runs(&w.daemon));
        expect_no_points(&w);
        EXPECT(&w, !log_has(&w.daemon, "hush"));
        daemon_stop(&w);
        unlink(w.daemon.log); /* the next one's words are its own */
    }
    set_key(&w, "hush-right");
    live_in_step(&w);
    EXPECT(&w, !log_has(&w.daemon, "hush"));
    live_close(&w);
}
END_TEST

START_TEST(a_key_may_stand_in_a_file)
{
    struct live w = {.folder = "", .qdrant_api_key = "hush-right"};
    char path[640];
    live_open(&w, "key-file");
    snprintf(path, sizeof path, "%s/key", w.folder);
    FILE *file = fopen(path, "we");
    EXPECT(&w, file && fputs("hush-right\n", file) >= 0 && fclose(file) == 0);
    live_set(&w, "qdrant", "api_key_file", path);
    insert_made(&w, 0, 10);
    daemon_start(&w);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

static void write_key(struct live *w, const char *path, const char *key)
{
    FILE *file = fopen(path, "we");
    EXPECT(w, file && fputs(key, file) >= 0 && fclose(file) == 0);
}

START_TEST(a_key_that_is_rotated_in_its_file_needs_no_restart)
{
    struct live w = {.folder = "", .qdrant_api_key = "hush-right", .embedder_api_key = "hush-model"};
    char path[640], model[640];
    live_open(&w, "key-rotated");
    snprintf(path, sizeof path, "%s/key", w.folder);
    snprintf(model, sizeof model, "%s/model-key", w.folder);
    write_key(&w, path, "hush-expired\n");
    write_key(&w, model, "hush-expired\n");
    live_set(&w, "qdrant", "api_key_file", path);
    live_set(&w, "embedding", "api_key_file", model);
    insert_made(&w, 0, 10);
    daemon_start(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "check `api_key` of the embedding"));
    write_key(&w, model, "hush-model\n");
    WAIT_UNTIL(&w, log_has(&w.daemon, "check `api_key` or `api_key_file` in [qdrant]"));
    write_key(&w, path, "hush-right\n");
    live_in_step(&w);
    EXPECT(&w, !log_has(&w.daemon, "hush"));
    live_close(&w);
}
END_TEST

/* The key expires while the daemon runs: no document pays for it, and all is well again with the key. */
START_TEST(a_key_that_expires_costs_no_document_a_retry)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "key-expires");
    fault(&w, &w.qdrant, J("count" : 0, "status" : 403, "body" : {"status" : {"error" : "Forbidden"}}));
    update(&w, J("id" : "made-1"), J("$set" : {"description" : "another one altogether"}));
    delete_one(&w, J("id" : "made-2"));
    WAIT_UNTIL(&w, log_has(&w.daemon, "set aside until a probe succeeds"));
    insert_made(&w, 100, 5);
    WAIT_UNTIL(&w, count_documents(&w, J("id" : "made-104", "syncMetadata" : {"$exists" : true})) == 1);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.collections.tools.retryCount" : {"$gt" : 0})), 0);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.collections.tools.errorCode" : "QDRANT_REJECTED")), 0);
    faults_clear_all(&w, &w.qdrant);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* ---- limits and refusals ---- */

START_TEST(strict_mode_is_learned_and_kept_to)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "strict");
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "PATCH", "/collections/usecases_v1",
                   J("strict_mode_config"
                     : {
                         "enabled" : true,
                         "upsert_max_batchsize" : 7,
                         "max_query_limit" : 250,
                         "unindexed_filtering_retrieve" : false,
                         "unindexed_filtering_update" : false
                     }),
                   NULL),
               200);
    insert_made(&w, 100, 120);
    live_through_everything(&w);
    daemon_stop(&w);
    daemon_start(&w);
    update(&w, J("id" : "made-7"), J("$set" : {"industries" : ["After the restart"]}));
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_quota_that_is_used_up_is_told_costs_no_retry_and_heals_by_itself)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "quota");
    daemon_stop(&w);
    live_set(&w, "worker", "max_retries", "2");
    daemon_start(&w);
    fault(&w, &w.qdrant,
          J("kind"
            : "upsert", "collection"
            : "usecases*", "count" : 0, "status" : 507, "body"
            : {"status" : {"error" : "Service internal error: quota exceeded"}}));
    insert_made(&w, 100, 3);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.collections.usecases.errorCode"
                                         : "QDRANT_UNAVAILABLE")) > 0);
    WAIT_UNTIL(&w, log_has(&w.daemon, "set aside until a probe succeeds"));
    EXPECT(&w, log_has(&w.daemon, "quota exceeded"));
    /* the documents say so as well, and no other collection is held up */
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.collections.usecases.lastError"
                                         : {"$regex" : "quota exceeded"})) > 0);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.collections.tools.status" : "synced")) == 43);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.collections.usecases.retryCount" : {"$gt" : 0})), 0);
    faults_clear_all(&w, &w.qdrant);
    live_in_step(&w); /* without `retry --failed` */
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.collections.usecases.retryCount" : {"$gt" : 0})), 0);
    live_close(&w);
}
END_TEST

START_TEST(a_point_that_qdrant_refuses_fails_alone)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "bad-point");
    fault(&w, &w.qdrant,
          J("kind"
            : "upsert", "text"
            : "arsenic", "count" : 0, "status" : 400, "body"
            : {"status" : {"error" : "Format error in JSON body"}}));
    insert_made(&w, 100, 20);
    insert(&w, J("id" : "poison", "name" : "Of arsenic", "status" : "beta"));
    insert_made(&w, 120, 20);
    WAIT_UNTIL(&w, document_says(&w, J("id" : "poison"), ENTRY("tools", "errorCode"), "QDRANT_REJECTED"));
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")) == 80);
    update(&w, J("id" : "poison"), J("$set" : {"name" : "Of sugar"}));
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* ---- versions ---- */

static void live_with_version(const char *version, bool guarded)
{
    struct live w = {.folder = "", .qdrant_version = version};
    open_in_step(&w, "version");
    EXPECT(&w, log_has(&w.daemon, guarded ? "guarded=1" : "guarded=0"));
    live_through_everything(&w);
    daemon_kill(&w); /* and doubt, where payloads and points are looked at again */
    update(&w, J("id" : "made-8"), J("$set" : {"website" : "https://in-doubt.example"}));
    delete_one(&w, J("id" : "made-9"));
    daemon_start(&w);
    live_in_step(&w);
    live_close(&w);
}

START_TEST(versions_without_guarded_writes_are_kept_in_step)
{
    live_with_version("1.10.1", false);
    live_with_version("1.15.5", false);
}
END_TEST

START_TEST(versions_with_guarded_writes_are_kept_in_step)
{
    live_with_version("1.16.0", true);
    live_with_version("1.17.1", true);
    live_with_version("1.19.0", true);
}
END_TEST

/* ---- collections as they are found ---- */

START_TEST(a_collection_of_another_distance_fails_alone_until_the_configuration_says_so)
{
    struct live w = {.folder = ""};
    live_open(&w, "distance");
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "PUT", "/collections/usecases",
                   J("vectors"
                     : {"size" : 64, "distance" : "Dot"}),
                   NULL),
               200);
    insert_made(&w, 0, 20);
    daemon_start(&w);
    WAIT_UNTIL(&w, points(&w, "tools") == 20 && points(&w, "interface") == 20);
    WAIT_UNTIL(&w, log_has(&w.daemon, "distance Dot, but size 64 with distance Cosine is wanted"));
    EXPECT_INT(&w, points(&w, "usecases"), 0);
    daemon_stop(&w);
    live_set(&w, "collection:usecases", "distance", "Dot");
    daemon_start(&w);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(a_collection_with_named_vectors_fails_alone_and_says_so)
{
    struct live w = {.folder = ""};
    live_open(&w, "named");
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "PUT", "/collections/usecases",
                   J("vectors"
                     : {"text" : {"size" : 64, "distance" : "Cosine"}}),
                   NULL),
               200);
    insert_made(&w, 0, 20);
    daemon_start(&w);
    WAIT_UNTIL(&w, points(&w, "tools") == 20 && points(&w, "interface") == 20);
    WAIT_UNTIL(&w, log_has(&w.daemon, "has no single vector without a name"));
    EXPECT_INT(&w, ask(&w, &w.qdrant, "DELETE", "/collections/usecases", NULL, NULL), 200);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(an_alias_that_somebody_made_is_followed_to_its_collection)
{
    struct live w = {.folder = ""};
    live_open(&w, "alias");
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "PUT", "/collections/theirs",
                   J("vectors"
                     : {"size" : 64, "distance" : "Cosine"}),
                   NULL),
               200);
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "POST", "/collections/aliases",
                   J("actions"
                     : [ {"create_alias" : {"collection_name" : "theirs", "alias_name" : "tools"}} ]),
                   NULL),
               200);
    insert_made(&w, 0, 20);
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, points(&w, "theirs"), 20);
    EXPECT_INT(&w, ask(&w, &w.qdrant, "GET", "/collections/tools_v1", NULL, NULL), 404);
    live_close(&w);
}
END_TEST

/* ---- replies that are none ---- */

#define REPLIES (sizeof replies / sizeof *replies)
static const char *const replies[] = {
    "\"body\":\"\"",
    "\"body\":\"null\"",
    "\"body\":\"[]\"",
    "\"body\":\"{\"",
    "\"body\":{}",
    "\"body\":{\"status\":\"ok\"}",
    "\"body\":{\"result\":null,\"status\":\"ok\",\"time\":0}",
    "\"body\":{\"result\":true,\"status\":\"ok\"}",
    "\"body\":{\"result\":[],\"status\":\"ok\"}",
    "\"body\":{\"result\":{\"points\":\"many\",\"count\":-1,\"status\":7},\"status\":\"ok\"}",
    "\"body\":{\"result\":{\"points\":[null,7,{\"id\":{}}],\"count\":1e300,\"next_page_offset\":[]},"
    "\"status\":\"ok\"}",
    "\"body\":{\"result\":{\"operation_id\":1,\"status\":\"failed\"},\"status\":\"ok\"}",
    "\"body\":{\"result\":[{\"status\":\"completed\"}],\"status\":\"ok\"}",
    "\"body\":{\"result\":{},\"status\":{\"error\":\"with status 200\"}}",
    "\"content_type\":\"text/html\",\"body\":\"<html>Sign in to the hotel's network</html>\"",
    "\"status\":302,\"headers\":{\"Location\":\"http://127.0.0.1:1/\"},\"body\":\"\"",
    "\"status\":502,\"content_type\":\"text/html\",\"body\":\"<html>Bad gateway</html>\"",
    "\"status\":404,\"body\":\"\"",
    "\"status\":403,\"body\":\"Forbidden\"",
    "\"status\":429,\"body\":\"\"",
    "\"status\":599,\"body\":\"?\"",
    "\"garble\":\"truncate\"",
    "\"garble\":\"noise\"",
    "\"garble\":\"cut\"",
};

/* Each reply from FIRST on, `count` of them, in place of the next answers to upserts, and to everything,
 * while documents change. */
static void answer_with(size_t first, size_t count)
{
    static const char *const kinds[] = {"upsert", "*"};
    struct live w = {.folder = ""};
    char rule[400], filter[64];
    open_in_step(&w, "garbled");
    for (size_t n = 0; n < 2 * count; n++) {
        const char *reply = replies[first + n / 2];
        bool whole = strstr(reply, "\"status\":") == reply || strstr(reply, "garble");
        snprintf(rule, sizeof rule, "{\"kind\":\"%s\",\"count\":4,%s%s}", kinds[n % 2],
                 whole ? "" : "\"status\":200,", reply);
        fault(&w, &w.qdrant, rule);
        insert_made(&w, 1000 + 10 * n, 2);
        snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", n);
        update(&w, filter, J("$set" : {"website" : "https://in-spite.example"}));
        snprintf(filter, sizeof filter, "{\"id\":\"made-%zu\"}", 39 - n);
        delete_one(&w, filter);
        live_in_step(&w);
    }
    EXPECT(&w, process_runs(&w.daemon));
    live_close(&w);
}

START_TEST(a_body_that_is_no_answer_is_no_success_and_no_harm)
{
    answer_with(0, 7);
}
END_TEST

START_TEST(an_answer_of_the_wrong_shape_is_no_success_and_no_harm)
{
    answer_with(7, 7);
}
END_TEST

START_TEST(an_answer_of_somebody_else_is_no_success_and_no_harm)
{
    answer_with(14, REPLIES - 14);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_key_is_asked_for_named_when_it_is_wrong_and_never_shown,
        a_key_may_stand_in_a_file,
        a_key_that_is_rotated_in_its_file_needs_no_restart,
        a_key_that_expires_costs_no_document_a_retry,
        strict_mode_is_learned_and_kept_to,
        a_quota_that_is_used_up_is_told_costs_no_retry_and_heals_by_itself,
        a_point_that_qdrant_refuses_fails_alone,
        versions_without_guarded_writes_are_kept_in_step,
        versions_with_guarded_writes_are_kept_in_step,
        a_collection_of_another_distance_fails_alone_until_the_configuration_says_so,
        a_collection_with_named_vectors_fails_alone_and_says_so,
        an_alias_that_somebody_made_is_followed_to_its_collection,
        a_body_that_is_no_answer_is_no_success_and_no_harm,
        an_answer_of_the_wrong_shape_is_no_success_and_no_harm,
        an_answer_of_somebody_else_is_no_success_and_no_harm,
    };
    return live_main("qdrant", tests, sizeof tests / sizeof *tests);
}
