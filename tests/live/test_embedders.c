/* test_embedders.c - embedding servers as they may be met: three protocols, keys, limits, trouble. */
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

/* What the stand-in has counted of requests of a kind, or of those that failed. */
static int64_t counted(struct live *w, const char *group, const char *kind)
{
    json_t *all;
    EXPECT(w, ask(w, &w->embedder, "GET", "/__double/counters", NULL, &all) == 200);
    int64_t count = json_integer_value(json_object_get(json_object_get(all, group), kind));
    json_decref(all);
    return count;
}

/* ---- protocols ---- */

static void speak(const char *provider, const char *model)
{
    struct live w = {.folder = ""};
    live_open(&w, provider);
    live_set(&w, "embedding", "provider", provider);
    live_set(&w, "embedding", "model", model);
    insert_made(&w, 0, 50);
    daemon_start(&w);
    live_in_step(&w);
    EXPECT(&w, counted(&w, "requests", provider) > 0);
    EXPECT_INT(&w, counters(&w).texts, 200);
    live_close(&w);
}

START_TEST(ollama_is_spoken)
{
    speak("ollama", "stand-in");
}
END_TEST

START_TEST(tei_is_spoken)
{
    speak("tei", "hashing");
}
END_TEST

START_TEST(a_server_that_knows_no_base64_is_asked_for_numbers)
{
    struct live w = {.folder = ""};
    live_open(&w, "base64");
    fault(&w, &w.embedder,
          J("text"
            : "base64", "count" : 0, "status" : 400, "body"
            : {"error" : {"message" : "unknown field encoding_format"}}));
    insert_made(&w, 0, 50);
    daemon_start(&w);
    live_in_step(&w);
    EXPECT(&w, counted(&w, "failures", "openai") > 0);
    EXPECT(&w, counted(&w, "failures", "openai") <= 4); /* it is learned */
    live_close(&w);
}
END_TEST

START_TEST(prefixes_and_the_model_for_searches_are_sent)
{
    struct live w = {.folder = ""};
    struct buf out;
    json_t *texts, *text;
    size_t i, marked = 0;
    live_open(&w, "prefixes");
    live_set(&w, "embedding", "document_prefix", "\"passage: \"");
    live_set(&w, "embedding", "query_prefix", "\"query: \"");
    live_set(&w, "embedding", "query_model", "for-searches");
    insert_made(&w, 0, 10);
    daemon_start(&w);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")) == 10);
    EXPECT(&w, ask(&w, &w.embedder, "GET", "/__double/texts", NULL, &texts) == 200);
    const json_t *list = json_is_array(texts) ? texts : json_object_get(texts, "texts");
    json_array_foreach(list, i, text) marked += strncmp(json_string_value(text), "passage: ", 9) == 0;
    EXPECT(&w, marked >= 40);
    json_decref(texts);
    fault(&w, &w.embedder, J("model" : "stand-in", "count" : 0, "status" : 503));
    buf_init(&out, 0);
    EXPECT_INT(&w, live_command(&w, NULL, &out, NULL, "search", "Made 3", NULL), 0);
    EXPECT(&w, strstr(out.data, "made-3") != NULL);
    EXPECT(&w, ask(&w, &w.embedder, "GET", "/__double/texts", NULL, &texts) == 200);
    list = json_is_array(texts) ? texts : json_object_get(texts, "texts");
    const char *last = json_string_value(json_array_get(list, json_array_size(list) - 1));
    EXPECT(&w, last && strcmp(last, "query: Made 3") == 0);
    json_decref(texts);
    buf_fini(&out);
    live_close(&w);
}
END_TEST

START_TEST(a_prefix_that_changes_embeds_everything_again_and_one_for_searches_nothing)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "new-prefix");
    daemon_stop(&w);
    live_set(&w, "embedding", "query_prefix", "\"query: \"");
    live_set(&w, "embedding", "query_model", "for-searches");
    daemon_start(&w);
    insert_made(&w, 40, 1);
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 4);
    daemon_stop(&w);
    live_set(&w, "embedding", "document_prefix", "\"passage: \"");
    daemon_start(&w);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus"
                                         : "synced", "syncMetadata.collections.tools.vectorVersion" : 2,
                                           "syncMetadata.collections.interface.vectorVersion" : 2)) == 41);
    live_close(&w);
}
END_TEST

/* ---- at start: what is wrong is said in words ---- */

static void start_wrongly(struct live *w, const char *key, const char *value, const char *said)
{
    live_set(w, "embedding", key, value);
    daemon_start(w);
    WAIT_UNTIL(w, log_has(&w->daemon, said));
    EXPECT(w, process_runs(&w->daemon));
    EXPECT(w, !log_has(&w->daemon, "hush"));
    EXPECT(w, points(w, "tools") <= 0);
    daemon_stop(w);
    unlink(w->daemon.log); /* the next one's words are its own */
}

START_TEST(a_wrong_url_key_or_model_is_told_at_start)
{
    struct live w = {.folder = "", .embedder_model = "stand-in", .embedder_api_key = "hush-right"};
    char right[64], wrong[128];
    live_open(&w, "wrong-embedder");
    insert_made(&w, 0, 10);
    snprintf(right, sizeof right, "http://127.0.0.1:%d", w.embedder.port);
    start_wrongly(&w, "api_key", NULL, "the embedding server wants a key");
    start_wrongly(&w, "api_key", "hush-another", "the embedding server refuses the key");
    live_set(&w, "embedding", "api_key", "hush-right");
    start_wrongly(&w, "model", "another", "check `url` and `model` of the embedding (status 404");
    live_set(&w, "embedding", "model", "stand-in");
    snprintf(wrong, sizeof wrong, "%s/nowhere/embeddings", right);
    start_wrongly(&w, "url", wrong, "check `url` and `model` of the embedding (status 404");
    start_wrongly(&w, "url", "http://127.0.0.1:1", "127.0.0.1:1");
    live_set(&w, "embedding", "url", right);
    daemon_start(&w);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")) == 10);
    live_close(&w);
}
END_TEST

START_TEST(another_model_than_configured_is_told_at_start)
{
    struct live w = {.folder = ""};
    live_open(&w, "another-model");
    live_set(&w, "embedding", "provider", "tei");
    insert_made(&w, 0, 10);
    start_wrongly(&w, "model", "another",
                  "the embedding server has the model hashing, the configuration says another");
    live_set(&w, "embedding", "model", "hashing");
    daemon_start(&w);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* ---- trouble ---- */

START_TEST(retry_after_is_waited_for_when_it_is_longer)
{
    struct live w = {.folder = ""};
    live_open(&w, "retry-after");
    live_set(&w, "worker", "max_backoff_ms", "10000"); /* no wait is longer, whatever a server asks for */
    insert_made(&w, 0, 40);
    daemon_start(&w);
    live_in_step(&w);
    counters_reset(&w);
    fault(&w, &w.embedder,
          J("count" : 1, "status" : 429, "headers"
            : {"Retry-After" : 3}, "body"
            : {"error" : {"message" : "slow down"}}));
    insert(&w, J("id" : "made-100", "name" : "One text in all"));
    WAIT_UNTIL(&w, document_says(&w,
                                 J("id"
                                   : "made-100"),
                                 ENTRY("tools", "errorCode"), "EMBEDDING_RATE_LIMIT"));
    bson_t *doc = find_one(&w, J("id" : "made-100"));
    bson_iter_t root, at;
    EXPECT(&w, bson_iter_init(&root, doc) &&
                   bson_iter_find_descendant(&root, ENTRY("tools", "lastSyncAttemptAt"), &at));
    int64_t tried = bson_iter_date_time(&at);
    EXPECT(&w, bson_iter_init(&root, doc) &&
                   bson_iter_find_descendant(&root, ENTRY("tools", "nextRetryAt"), &at));
    EXPECT(&w, bson_iter_date_time(&at) - tried >= 2900); /* base_backoff_ms is 100 */
    bson_destroy(doc);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(too_many_requests_are_answered_by_fewer)
{
    struct live w = {.folder = ""};
    live_open(&w, "fewer");
    live_set(&w, "embedding", "concurrency", "16");
    live_set(&w, "embedding", "batch_size", "5");
    fault(&w, &w.embedder, J("skip" : 20, "count" : 12, "status" : 429, "body" : "slow down"));
    fault(&w, &w.embedder, J("count" : 0, "delay_ms" : 20));
    insert_made(&w, 0, 400);
    daemon_start(&w);
    live_in_step(&w);
    EXPECT_INT(&w, counted(&w, "failures", "openai"), 12);
    EXPECT_INT(&w, counters(&w).texts, 1600); /* what was refused was asked for again, and nothing twice */
    live_close(&w);
}
END_TEST

START_TEST(a_quota_that_is_used_up_is_told_as_such)
{
    struct live w = {.folder = ""};
    open_in_step(&w, "quota");
    int number = fault(&w, &w.embedder,
                       J("count" : 0, "status" : 429, "body"
                         : {"error" : {"message" : "You exceeded", "code" : "insufficient_quota"}}));
    insert_made(&w, 100, 2);
    WAIT_UNTIL(&w, document_says(&w,
                                 J("id"
                                   : "made-100"),
                                 ENTRY("tools", "errorCode"), "EMBEDDING_UNAVAILABLE"));
    char *said = document_text(&w, J("id" : "made-100"), ENTRY("tools", "lastError")), path[64];
    EXPECT(&w, strstr(said, "quota is used up") != NULL);
    free(said);
    snprintf(path, sizeof path, "/__double/faults/%d", number);
    EXPECT_INT(&w, ask(&w, &w.embedder, "DELETE", path, NULL, NULL), 200);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(of_a_batch_that_fails_only_the_poisonous_texts_do)
{
    struct live w = {.folder = ""};
    live_open(&w, "bisect");
    fault(&w, &w.embedder,
          J("text"
            : "arsenic", "count" : 0, "status" : 400, "body"
            : {"error" : {"message" : "this input can't be embedded"}}));
    insert_made(&w, 0, 250);
    for (int i = 0; i < 3; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"id\":\"poison-%d\",\"name\":\"Of arsenic %d\",\"status\":\"beta\"}",
                 i, i);
        insert(&w, text);
    }
    daemon_start(&w);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")) == 250);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.collections.tools.errorCode"
                                         : "EMBEDDING_REJECTED", "syncMetadata.collections.tools.nextRetryAt"
                                         : null)) == 3);
    EXPECT_INT(&w, count_documents(&w, J("syncMetadata.collections.interface.status" : "synced")), 253);
    EXPECT(&w, counted(&w, "failures", "openai") <= 3 * 9); /* each is found by halving, not by trying all */
    EXPECT_INT(&w, counters(&w).texts, 4 * 250 + 3);
    faults_clear_all(&w, &w.embedder);
    for (int i = 0; i < 3; i++) {
        char filter[64];
        snprintf(filter, sizeof filter, "{\"id\":\"poison-%d\"}", i);
        update(&w, filter, J("$set" : {"tagline" : "No more"}));
    }
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* Made otherwise, in each of two collections a vector would be stored that is none. */
START_TEST(a_vector_that_a_collection_can_not_hold_is_refused)
{
    struct live w = {.folder = ""};
    live_open(&w, "unusable");
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "PUT", "/collections/interface",
                   J("vectors"
                     : {"size" : 64, "distance" : "Cosine", "datatype" : "float16"}),
                   NULL),
               200);
    fault(&w, &w.embedder, J("text" : "nothing at all", "count" : 0, "distort" : "zeros"));
    fault(&w, &w.embedder, J("text" : "too much", "count" : 0, "distort" : "large"));
    live_set(&w, "embedding", "batch_size", "1");
    insert(&w, J("id" : "none", "name" : "Says nothing at all", "status" : "beta"));
    insert(&w, J("id" : "large", "name" : "A name", "status" : "too much"));
    daemon_start(&w);
    WAIT_UNTIL(&w, document_says(&w,
                                 J("id"
                                   : "none"),
                                 ENTRY("tools", "errorCode"), "EMBEDDING_REJECTED") &&
                       document_says(&w,
                                     J("id"
                                       : "large"),
                                     ENTRY("interface", "errorCode"), "EMBEDDING_REJECTED"));
    char *zeros = document_text(&w, J("id" : "none"), ENTRY("tools", "lastError"));
    char *large = document_text(&w, J("id" : "large"), ENTRY("interface", "lastError"));
    EXPECT(&w, strstr(zeros, "all its 64 elements are 0") != NULL);
    EXPECT(&w, strstr(large, "element 0 is 70000") != NULL);
    free(zeros);
    free(large);
    EXPECT(&w, document_says(&w, J("id" : "none"), ENTRY("interface", "status"), "synced"));
    EXPECT(&w, document_says(&w, J("id" : "large"), ENTRY("tools", "status"), "synced"));
    EXPECT_INT(&w, points(&w, "tools"), 1);
    live_close(&w);
}
END_TEST

START_TEST(a_collection_of_bytes_is_refused_and_the_others_are_not)
{
    struct live w = {.folder = ""};
    live_open(&w, "bytes");
    EXPECT_INT(&w,
               ask(&w, &w.qdrant, "PUT", "/collections/tools",
                   J("vectors"
                     : {"size" : 64, "distance" : "Cosine", "datatype" : "uint8"}),
                   NULL),
               200);
    insert_made(&w, 0, 3);
    daemon_start(&w);
    WAIT_UNTIL(&w, log_has(&w.daemon, "stores vectors as uint8"));
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.collections.interface.status" : "synced")) == 3);
    EXPECT_INT(&w, points(&w, "tools"), 0);
    live_close(&w);
}
END_TEST

/* A server fails on one text for a while, with this status (or hangs up), and takes all others. */
static void fail_on_one(const char *test, const char *rule)
{
    struct live w = {.folder = ""};
    live_open(&w, test);
    live_set(&w, "worker", "max_retries", "1");
    fault(&w, &w.embedder, rule);
    insert_made(&w, 0, 60);
    insert(&w, J("id" : "heavy", "name" : "Too much for it", "status" : "beta"));
    daemon_start(&w);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")) == 60);
    WAIT_UNTIL(&w, document_int(&w, J("id" : "heavy"), ENTRY("tools", "retryCount")) >= 3);
    EXPECT(&w, document_says(&w, J("id" : "heavy"), ENTRY("tools", "errorCode"), "EMBEDDING_UNAVAILABLE"));
    faults_clear_all(&w, &w.embedder);
    live_in_step(&w);
    live_close(&w);
}

START_TEST(a_text_that_a_server_fails_on_is_tried_again_alone_without_end)
{
    fail_on_one("fails-500", J("text" : "Too much", "count" : 0, "status" : 500, "body" : "out of memory"));
    fail_on_one("fails-502", J("text" : "Too much", "count" : 0, "status" : 502));
    fail_on_one("fails-424", J("text" : "Too much", "count" : 0, "status" : 424));
    fail_on_one("fails-cut", J("text" : "Too much", "count" : 0, "reset" : true));
}
END_TEST

START_TEST(a_text_that_takes_too_long_holds_up_no_other)
{
    struct live w = {.folder = ""};
    live_open(&w, "too-long");
    live_set(&w, "embedding", "timeout_ms", "500");
    live_set(&w, "embedding", "load_timeout_ms", "1000");
    fault(&w, &w.embedder, J("text" : "Takes for ever", "count" : 0, "hang" : true));
    insert(&w, J("id" : "slow", "name" : "Takes for ever", "status" : "beta"));
    insert_made(&w, 0, 20);
    daemon_start(&w);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")) == 20);
    WAIT_UNTIL(&w, document_says(&w, J("id" : "slow"), ENTRY("tools", "errorCode"), "EMBEDDING_TIMEOUT"));
    insert_made(&w, 100, 5);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")) == 25);
    faults_clear_all(&w, &w.embedder);
    live_in_step(&w);
    live_close(&w);
}
END_TEST

/* Documents that come together with one whose text hangs do not wait until its time is over. */
START_TEST(a_new_document_does_not_wait_for_a_text_that_hangs)
{
    struct live w = {.folder = "", .stand_ins = true};
    live_open(&w, "hangs");
    live_set(&w, "embedding", "timeout_ms", "600000");
    live_set(&w, "embedding", "load_timeout_ms", "600000");
    insert_made(&w, 0, 1);
    daemon_start(&w);
    live_in_step(&w);
    fault(&w, &w.embedder, J("text" : "Takes for ever", "count" : 0, "hang" : true));
    daemon_stop(&w); /* so that all are read, and embedded, together */
    insert_made(&w, 1, 10);
    insert(&w, J("id" : "slow", "name" : "Takes for ever", "status" : "beta"));
    insert_made(&w, 11, 10);
    daemon_start(&w);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")) == 21);
    insert_made(&w, 100, 5);
    WAIT_UNTIL(&w, count_documents(&w, J("syncMetadata.overallStatus" : "synced")) == 26);
    EXPECT(&w, log_has(&w.daemon, "it keeps none waiting any more"));
    EXPECT(&w, !document_says(&w, J("id" : "slow"), ENTRY("tools", "status"), "synced"));
    faults_clear_all(&w, &w.embedder); /* which answers it at last */
    live_in_step(&w);
    live_close(&w);
}
END_TEST

START_TEST(equal_texts_are_embedded_once)
{
    struct live w = {.folder = ""};
    live_open(&w, "equal");
    for (int i = 0; i < 30; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"id\":\"same-%d\",\"name\":\"The same\",\"status\":\"beta\"}", i);
        insert(&w, text);
    }
    daemon_start(&w);
    live_in_step(&w);
    counters_reset(&w);
    insert(&w, J("id" : "same-again", "name" : "The same", "status" : "beta"));
    live_in_step(&w);
    EXPECT_INT(&w, counters(&w).texts, 0);
    EXPECT_INT(&w, points(&w, "tools"), 31);
    live_close(&w);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        ollama_is_spoken,
        tei_is_spoken,
        a_server_that_knows_no_base64_is_asked_for_numbers,
        prefixes_and_the_model_for_searches_are_sent,
        a_prefix_that_changes_embeds_everything_again_and_one_for_searches_nothing,
        a_wrong_url_key_or_model_is_told_at_start,
        another_model_than_configured_is_told_at_start,
        retry_after_is_waited_for_when_it_is_longer,
        too_many_requests_are_answered_by_fewer,
        a_quota_that_is_used_up_is_told_as_such,
        of_a_batch_that_fails_only_the_poisonous_texts_do,
        a_vector_that_a_collection_can_not_hold_is_refused,
        a_collection_of_bytes_is_refused_and_the_others_are_not,
        a_text_that_a_server_fails_on_is_tried_again_alone_without_end,
        a_text_that_takes_too_long_holds_up_no_other,
        a_new_document_does_not_wait_for_a_text_that_hangs,
        equal_texts_are_embedded_once,
    };
    return live_main("embedders", tests, sizeof tests / sizeof *tests);
}
