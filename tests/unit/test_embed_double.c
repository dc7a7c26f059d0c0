/*
 * test_embed_double.c - the embedders over the stand-in for embedding servers, as a process: three protocols,
 * and every way to go wrong that the stand-in knows.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "embed/embed.h"
#include "stand_in.h"
#include "suite.h"

#define TEXTS 50
#define DIMENSIONS 24

static char url[160];
static struct http *http;
static struct queue inbox;
static struct embedders *embedders;
static struct embed_config config;
static char texts[TEXTS][24];

static const enum embed_provider providers[] = {EMBED_OPENAI, EMBED_OLLAMA, EMBED_TEI};

static void come_back(void *self, struct req *req)
{
    queue_push(self, req);
}

/* Calls the stand-in's control endpoint. */
static void control(const char *what, const char *body)
{
    char target[200];
    (void)snprintf(target, sizeof target, "%s/__double/%s", url, what);
    const struct http_header headers[] = {{"Content-Type", "application/json"}};
    struct http_call call = {.method = "POST",
                             .url = target,
                             .headers = headers,
                             .header_count = 1,
                             .body = body,
                             .body_bytes = strlen(body),
                             .timeout_ms = 10000};
    ck_assert_int_eq(http_perform(http, &call), HTTP_OK);
    ck_assert_msg(call.status == 200, "%s %s: %s", what, body, call.reply.data);
    http_call_fini(&call);
}

static void begin(int provider)
{
    struct lks_err err;
    ck_assert_int_eq(http_open(NULL, &http, &err), LKS_E_OK);
    ck_assert(queue_init(&inbox, offsetof(struct req, next)));
    control("reset", "{}");
    for (size_t i = 0; i < TEXTS; i++) (void)snprintf(texts[i], sizeof texts[i], "text number %zu", i);
    (void)snprintf(texts[TEXTS / 3], sizeof texts[0], "poison");
    config = (struct embed_config){.provider = providers[provider],
                                   .url = url,
                                   .model = "m",
                                   .query_model = "",
                                   .document_prefix = "",
                                   .query_prefix = "",
                                   .path = "",
                                   .api_key = "k",
                                   .concurrency = 2};
    embedders = NULL;
}

static void end(void)
{
    embed_close(embedders);
    http_close(http);
    queue_fini(&inbox);
}

static void open_embedder(void)
{
    struct lks_err err;
    ck_assert_int_eq(embed_open(&config, 1, http, (struct inbox){&inbox, come_back}, &embedders, &err),
                     LKS_E_OK);
}

static struct req *embed_all(void)
{
    struct req *req = req_new(REQ_EMBED, NULL);
    size_t *bytes = calloc(TEXTS, sizeof *bytes);
    req->embed.count = TEXTS;
    req->embed.texts = calloc(TEXTS, sizeof *req->embed.texts);
    ck_assert(req->embed.texts && bytes);
    for (size_t i = 0; i < TEXTS; i++) {
        req->embed.texts[i] = texts[i];
        bytes[i] = strlen(texts[i]);
    }
    req->embed.text_bytes = bytes;
    struct port port = embed_port(embedders);
    port.submit(port.self, req);
    struct req *back = queue_take(&inbox, 40000);
    ck_assert_msg(back == req, "the request never came back");
    return req;
}

/* That text `i` has the vector which the server gives it when asked for it alone. */
static void assert_right(const struct req *req, size_t i)
{
    float *alone = NULL;
    size_t dimensions = 0;
    struct lks_err err;
    ck_assert_msg(req->embed.vectors[i] != NULL, "%s: %s", texts[i],
                  req->embed.errors[i] ? req->embed.errors[i]->text : "");
    ck_assert_int_eq(embed_query(embedders, 0, texts[i], &alone, &dimensions, &err), LKS_E_OK);
    ck_assert_uint_eq(dimensions, DIMENSIONS);
    for (size_t d = 0; d < dimensions; d++) ck_assert(fabsf(alone[d] - req->embed.vectors[i][d]) < 1e-6F);
    free(alone);
}

START_TEST(texts_are_embedded)
{
    begin(_i);
    open_embedder();
    struct req *req = embed_all();
    for (size_t i = 0; i < TEXTS; i++) assert_right(req, i);
    ck_assert_uint_eq(req->embed.dimensions, DIMENSIONS);
    req_free(req);
    end();
}
END_TEST

START_TEST(a_poisonous_text_fails_alone)
{
    static const char *const rules[] = {"{\"text\":\"poison\",\"status\":400,\"count\":0,\"body\":{\"error\":"
                                        "{\"message\":\"maximum context length\"}}}",
                                        "{\"text\":\"poison\",\"status\":400,\"count\":0,\"body\":{\"error\":"
                                        "\"the input length exceeds the context length\"}}",
                                        "{\"text\":\"poison\",\"status\":413,\"count\":0,\"body\":{\"error\":"
                                        "\"must have less than 512 tokens\"}}"};
    begin(_i);
    control("faults", rules[_i]);
    open_embedder();
    struct req *req = embed_all();
    for (size_t i = 0; i < TEXTS; i++) {
        if (i != TEXTS / 3) {
            assert_right(req, i);
            continue;
        }
        ck_assert_ptr_null(req->embed.vectors[i]);
        ck_assert_int_eq(req->embed.errors[i]->code, LKS_E_EMBEDDING_REJECTED);
    }
    req_free(req);
    end();
}
END_TEST

/* Whatever is wrong with one answer, no text gets a wrong vector, and none is blamed for ever. */
START_TEST(one_spoiled_answer_spoils_nothing)
{
    static const char *const ways[] = {"count", "dimension", "nan", "shuffle", "index"};
    int provider = _i / 5, way = _i % 5;
    if (way == 3 && provider > 0) return; /* without an index it cannot be known */
    char rule[100];
    begin(provider);
    (void)snprintf(rule, sizeof rule, "{\"distort\":\"%s\",\"count\":1}", ways[way]);
    control("faults", rule);
    open_embedder();
    struct req *req = embed_all();
    for (size_t i = 0; i < TEXTS; i++) assert_right(req, i);
    req_free(req);
    end();
}
END_TEST

static const struct {
    const char *rule;
    enum lks_code code;
} troubles[] = {
    {"{\"status\":429,\"count\":0,\"headers\":{\"Retry-After\":\"3\"}}", LKS_E_EMBEDDING_RATE_LIMIT},
    {"{\"status\":503,\"count\":0}", LKS_E_EMBEDDING_UNAVAILABLE},
    {"{\"status\":500,\"count\":0}", LKS_E_EMBEDDING_UNAVAILABLE},
    {"{\"status\":424,\"count\":0}", LKS_E_EMBEDDING_UNAVAILABLE},
    {"{\"reset\":true,\"count\":0}", LKS_E_EMBEDDING_UNAVAILABLE},
};

START_TEST(trouble_is_the_servers_own_and_passes)
{
    begin(_i % 3);
    const size_t t = (size_t)_i / 3;
    control("faults", troubles[t].rule);
    open_embedder();
    struct req *req = embed_all();
    for (size_t i = 0; i < TEXTS; i++) {
        ck_assert_ptr_null(req->embed.vectors[i]);
        ck_assert_msg(req->embed.errors[i]->code == troubles[t].code, "%s", req->embed.errors[i]->text);
        if (t == 0) ck_assert_int_eq(req->embed.errors[i]->retry_after_ms, 3000);
    }
    req_free(req);
    control("reset", "{}");
    req = embed_all();
    for (size_t i = 0; i < TEXTS; i++) assert_right(req, i);
    req_free(req);
    end();
}
END_TEST

START_TEST(a_wrong_key_and_a_wrong_model_say_so)
{
    begin(_i);
    config.api_key = "wrong";
    open_embedder();
    struct req *req = embed_all();
    ck_assert_int_eq(req->embed.errors[0]->code, LKS_E_EMBEDDING_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(req->embed.errors[0]->text, "check `api_key`"));
    ck_assert_ptr_null(strstr(req->embed.errors[0]->text, "wrong"));
    req_free(req);
    embed_close(embedders);
    config.api_key = "k";
    config.model = "another";
    open_embedder();
    req = embed_all();
    ck_assert_int_eq(req->embed.errors[0]->code, LKS_E_EMBEDDING_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(req->embed.errors[0]->text, "`model`"));
    req_free(req);
    end();
}
END_TEST

START_TEST(closing_does_not_wait_for_a_silent_server)
{
    begin(_i);
    control("faults", "{\"hang\":true,\"count\":0}");
    open_embedder();
    struct req *req = req_new(REQ_EMBED_PROBE, NULL);
    struct port port = embed_port(embedders);
    port.submit(port.self, req);
    embed_close(embedders);
    embedders = NULL;
    ck_assert_ptr_eq(queue_take(&inbox, 0), req);
    ck_assert_int_eq(req->err.code, LKS_E_CANCELLED);
    req_free(req);
    end();
    begin(_i); /* forgets the fault */
    end();
}
END_TEST

int main(void)
{
    static const char *const options[] = {"--dimensions", "24", "--model", "m", "--api-key", "k",
                                          "--tei-batch",  "8",  NULL};
    struct stand_in stand_in;
    if (!stand_in_start(&stand_in, "embedder", options)) {
        (void)printf("Bail out! the stand-in tests/double/embedder does not start\n");
        return EXIT_FAILURE;
    }
    (void)snprintf(url, sizeof url, "http://%s", stand_in.address);
    TCase *tc = tcase_create("stand-in");
    tcase_add_loop_test(tc, texts_are_embedded, 0, 3);
    tcase_add_loop_test(tc, a_poisonous_text_fails_alone, 0, 3);
    tcase_add_loop_test(tc, one_spoiled_answer_spoils_nothing, 0, 15);
    tcase_add_loop_test(tc, trouble_is_the_servers_own_and_passes, 0,
                        3 * (int)(sizeof troubles / sizeof troubles[0]));
    tcase_add_loop_test(tc, a_wrong_key_and_a_wrong_model_say_so, 0, 3);
    tcase_add_loop_test(tc, closing_does_not_wait_for_a_silent_server, 0, 3);
    Suite *suite = suite_create("embed_double");
    suite_add_tcase(suite, tc);
    int status = suite_run(suite);
    stand_in_stop(&stand_in);
    return status;
}
