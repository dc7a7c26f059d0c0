/*
 * test_embed.c - the embedder port over a server that answers as the real ones do, or doesn't.
 *
 * The server embeds a text as {length, first byte, 1, 0}, so that a vector shows which text it belongs to.
 */
#include <check.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/queue.h"
#include "embed/embed.h"
#include "suite.h"
#include "tests/unit/tiny_server.h"

/* What the server does; set before it is asked. */
static struct behaviour {
    int status;          /* answer everything with this; 0: as it should be */
    const char *reply;   /* with `status` */
    const char *headers; /* with `status` */
    const char *poison;  /* a batch with a text that contains this fails with `poison_status` */
    int poison_status;   /* 200: with a broken reply */
    const char *poison_reply;
    const char *form;    /* base64 is this instead: "half", "double", "order" */
    bool floats;         /* plain numbers although base64 was asked for */
    bool refuses_base64; /* 400 for encoding_format */
    bool backwards;      /* data in another order than the input */
    int extra, missing;  /* vectors too many, too few */
    int dimensions;      /* 0: 4 */
    const char *info;    /* TEI's /info; NULL: 404 */
    bool hang;
    const char *hang_on; /* a request with a text that contains this is never answered */
    int most;            /* texts in a request; 0: any number */
    size_t most_bytes;   /* of a request; 0: any number. What is larger is 413 */
} server_does;

static atomic_int request_count, refused_count, hung_count, greatest_batch;
static char last_body[20000], last_head[4000];
static struct tiny_server *server;
static struct http *http;
static struct queue inbox;
static struct embedders *embedders;
static struct embed_config config;
static char url[100];

/* ---- the server ---- */

static void put_base64(struct buf *out, const float *floats, size_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *b = (const unsigned char *)floats;
    size_t bytes = count * sizeof *floats;
    for (size_t i = 0; i < bytes; i += 3) {
        unsigned a = b[i], c = i + 1 < bytes ? b[i + 1] : 0, d = i + 2 < bytes ? b[i + 2] : 0;
        unsigned bits = a << 16 | c << 8 | d;
        buf_putc(out, digits[bits >> 18]);
        buf_putc(out, digits[bits >> 12 & 63]);
        buf_putc(out, i + 1 < bytes ? digits[bits >> 6 & 63] : '=');
        buf_putc(out, i + 2 < bytes ? digits[bits & 63] : '=');
    }
}

static void put_vector(struct buf *out, const char *text, bool base64)
{
    int dimensions = server_does.dimensions ? server_does.dimensions : 4;
    float v[64] = {(float)strlen(text), (float)(unsigned char)text[0], 1};
    if (base64) {
        const char *form = server_does.form ? server_does.form : "";
        if (strcmp(form, "half") == 0) dimensions /= 2;
        if (strcmp(form, "double") == 0) dimensions *= 2;
        for (int i = 0; strcmp(form, "order") == 0 && i < dimensions; i++) {
            uint32_t word;
            memcpy(&word, &v[i], sizeof word);
            word = __builtin_bswap32(word);
            memcpy(&v[i], &word, sizeof word);
        }
        buf_putc(out, '"');
        put_base64(out, v, (size_t)dimensions);
        buf_putc(out, '"');
        return;
    }
    for (int i = 0; i < dimensions; i++) buf_printf(out, "%s%g", i ? "," : "[", (double)v[i]);
    buf_putc(out, ']');
}

static void put_vectors(struct buf *out, const json_t *inputs, bool openai, bool base64)
{
    int count = (int)json_array_size(inputs);
    int reported = count + server_does.extra - server_does.missing;
    for (int k = 0; k < reported; k++) {
        int i = server_does.backwards ? count - 1 - k : k;
        const char *text =
            i >= 0 && i < count ? json_string_value(json_array_get(inputs, (size_t)i)) : "extra";
        if (k) buf_putc(out, ',');
        if (openai) buf_printf(out, "{\"index\":%d,\"embedding\":", i);
        put_vector(out, text, base64);
        if (openai) buf_putc(out, '}');
    }
}

static void answer_properly(const struct tiny_request *request, const json_t *body, struct buf *out)
{
    struct buf json;
    buf_init(&json, 0);
    bool openai = strstr(request->target, "/v1/embeddings") != NULL;
    const json_t *inputs =
        json_object_get(body, openai || strstr(request->target, "/api/embed") ? "input" : "inputs");
    bool base64 = openai && json_object_get(body, "encoding_format") && !server_does.floats;
    int count = (int)json_array_size(inputs);
    if (count > atomic_load(&greatest_batch)) atomic_store(&greatest_batch, count);
    buf_puts(&json, openai                                  ? "{\"data\":["
                    : strstr(request->target, "/api/embed") ? "{\"embeddings\":["
                                                            : "[");
    put_vectors(&json, inputs, openai, base64);
    if (openai)
        buf_printf(&json, "],\"usage\":{\"prompt_tokens\":%d}}", count * 3);
    else
        buf_puts(&json, strstr(request->target, "/api/embed") ? "],\"prompt_eval_count\":7}" : "]");
    tiny_reply(out, 200, "Content-Type: application/json\r\n", json.data);
    buf_fini(&json);
}

static enum tiny_then serve(void *context, const struct tiny_request *request, struct buf *out)
{
    (void)context;
    if (server_does.hang) return TINY_HANG;
    if (strcmp(request->method, "GET") == 0) {
        tiny_reply(out, server_does.info ? 200 : 404, "", server_does.info ? server_does.info : "");
        return TINY_KEEP;
    }
    atomic_fetch_add(&request_count, 1);
    if (server_does.hang_on && strstr(request->body, server_does.hang_on)) {
        atomic_fetch_add(&hung_count, 1);
        return TINY_HANG;
    }
    (void)snprintf(last_body, sizeof last_body, "%s", request->body);
    (void)snprintf(last_head, sizeof last_head, "%s", request->head);
    json_t *body = json_loadb(request->body, request->body_bytes, 0, NULL);
    if (!body) {
        tiny_reply(out, 400, "", "{\"error\":\"this is no JSON\"}");
    } else if (server_does.status) {
        tiny_reply(out, server_does.status, server_does.headers ? server_does.headers : "",
                   server_does.reply);
    } else if (server_does.refuses_base64 && json_object_get(body, "encoding_format")) {
        tiny_reply(out, 400, "", "{\"error\":{\"message\":\"Unrecognized argument: encoding_format\"}}");
    } else if (server_does.most && (int)json_array_size(json_object_get(body, "input")) > server_does.most) {
        tiny_reply(
            out, 422, "",
            "{\"error\":\"batch size 30 > maximum allowed batch size 4\",\"error_type\":\"Validation\"}");
    } else if (server_does.most_bytes && request->body_bytes > server_does.most_bytes) {
        atomic_fetch_add(&refused_count, 1);
        tiny_reply(out, 413, "", "<html><h1>413 Request Entity Too Large</h1></html>");
    } else if (server_does.poison && strstr(request->body, server_does.poison)) {
        tiny_reply(out, server_does.poison_status, "Content-Type: application/json\r\n",
                   server_does.poison_reply);
    } else {
        answer_properly(request, body, out);
    }
    json_decref(body);
    return TINY_KEEP;
}

/* ---- asking ---- */

static void come_back(void *self, struct req *req)
{
    queue_push(self, req);
}

static void open_server(void)
{
    struct lks_err err;
    server_does = (struct behaviour){.status = 0};
    atomic_store(&request_count, 0);
    atomic_store(&refused_count, 0);
    atomic_store(&hung_count, 0);
    atomic_store(&greatest_batch, 0);
    server = tiny_server_open(serve, NULL);
    ck_assert_ptr_nonnull(server);
    ck_assert_int_eq(http_open(NULL, &http, &err), LKS_E_OK);
    ck_assert(queue_init(&inbox, offsetof(struct req, next)));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d", tiny_server_port(server));
    config = (struct embed_config){.provider = EMBED_OPENAI,
                                   .url = url,
                                   .model = "m",
                                   .query_model = "",
                                   .document_prefix = "",
                                   .query_prefix = "",
                                   .path = "",
                                   .api_key = "",
                                   .concurrency = 2};
    embedders = NULL;
}

static void close_server(void)
{
    embed_close(embedders);
    http_close(http);
    tiny_server_close(server);
    queue_fini(&inbox);
}

static void open_embedder(void)
{
    struct lks_err err;
    ck_assert_int_eq(embed_open(&config, 1, http, (struct inbox){&inbox, come_back}, &embedders, &err),
                     LKS_E_OK);
}

static struct req *make(const char *const *texts, size_t count)
{
    struct req *req = req_new(REQ_EMBED, NULL);
    size_t *bytes = calloc(count ? count : 1, sizeof *bytes);
    req->embed.count = count;
    req->embed.texts = calloc(count ? count : 1, sizeof *req->embed.texts);
    ck_assert(req->embed.texts && bytes);
    for (size_t i = 0; i < count; i++) {
        req->embed.texts[i] = texts[i];
        bytes[i] = strlen(texts[i]);
    }
    req->embed.text_bytes = bytes;
    return req;
}

static struct req *embed(const char *const *texts, size_t count)
{
    struct port port = embed_port(embedders);
    port.submit(port.self, make(texts, count));
    struct req *req = queue_take(&inbox, 30000);
    ck_assert_msg(req != NULL, "the request never came back");
    ck_assert_int_eq(req->err.code, LKS_E_OK);
    return req;
}

static struct req *probe(void)
{
    struct port port = embed_port(embedders);
    port.submit(port.self, req_new(REQ_EMBED_PROBE, NULL));
    struct req *req = queue_take(&inbox, 30000);
    ck_assert_msg(req != NULL, "the probe never came back");
    return req;
}

static void assert_embedded(const struct req *req, size_t i)
{
    const char *text = req->embed.texts[i];
    ck_assert_msg(req->embed.vectors[i] != NULL, "%s: %s", text,
                  req->embed.errors[i] ? req->embed.errors[i]->text : "nothing");
    ck_assert_ptr_null(req->embed.errors[i]);
    size_t prefix = strlen(config.document_prefix);
    ck_assert_float_eq(req->embed.vectors[i][0], (float)(strlen(text) + prefix));
    ck_assert_float_eq(req->embed.vectors[i][1],
                       (float)(unsigned char)(prefix ? config.document_prefix : text)[0]);
}

static void assert_failed(const struct req *req, size_t i, enum lks_code code)
{
    ck_assert_ptr_null(req->embed.vectors[i]);
    ck_assert_ptr_nonnull(req->embed.errors[i]);
    ck_assert_msg(req->embed.errors[i]->code == code, "%s: %s", lks_code_name(req->embed.errors[i]->code),
                  req->embed.errors[i]->text);
}

static const char *const five[] = {"a", "bb", "ccc \"quoted\" \\ \n\t\x01", "\xC3\xA4 dd", "eeeee"};

/* ---- as it should be ---- */

static const struct {
    enum embed_provider provider;
    bool floats, refuses_base64, backwards;
} ways[] = {
    {EMBED_OPENAI, false, false, false}, {EMBED_OPENAI, true, false, true},
    {EMBED_OPENAI, false, true, false},  {EMBED_OPENAI, false, false, true},
    {EMBED_OLLAMA, false, false, false}, {EMBED_TEI, false, false, false},
};

START_TEST(each_text_gets_its_own_vector)
{
    config.provider = ways[_i].provider;
    config.batch_size = 2;
    server_does.floats = ways[_i].floats;
    server_does.refuses_base64 = ways[_i].refuses_base64;
    server_does.backwards = ways[_i].backwards;
    open_embedder();
    struct req *req = embed(five, 5);
    for (size_t i = 0; i < 5; i++) assert_embedded(req, i);
    ck_assert_uint_eq(req->embed.dimensions, 4);
    ck_assert_int_le(atomic_load(&greatest_batch), 2);
    if (ways[_i].provider != EMBED_TEI) ck_assert_int_gt(req->embed.tokens, 0);
    req_free(req);
}
END_TEST

START_TEST(no_texts_come_back_at_once)
{
    open_embedder();
    struct req *req = embed(five, 0);
    ck_assert_uint_eq(req->embed.count, 0);
    req_free(req);
}
END_TEST

START_TEST(prefix_model_key_and_dimensions_are_sent)
{
    config.document_prefix = "passage: ";
    config.api_key = "sk-1";
    config.dimensions = 4;
    open_embedder();
    struct req *req = embed(five, 1);
    assert_embedded(req, 0);
    req_free(req);
    ck_assert_str_eq(last_body, "{\"model\":\"m\",\"input\":[\"passage: a\"],\"dimensions\":4}");
    ck_assert_ptr_nonnull(strstr(last_head, "Authorization: Bearer sk-1\r\n"));
}
END_TEST

START_TEST(a_query_has_its_own_prefix_and_model)
{
    float *vector = NULL;
    size_t dimensions = 0;
    struct lks_err err;
    config.query_prefix = "query: ";
    config.query_model = "q";
    server_does.refuses_base64 = true;
    open_embedder();
    ck_assert_int_eq(embed_query(embedders, 0, "abc", &vector, &dimensions, &err), LKS_E_OK);
    ck_assert_uint_eq(dimensions, 4);
    ck_assert_float_eq(vector[0], 10);
    free(vector);
    ck_assert_str_eq(last_body, "{\"model\":\"q\",\"input\":[\"query: abc\"]}");
    server_does.status = 401;
    server_does.reply = "{}";
    ck_assert_int_eq(embed_query(embedders, 0, "abc", &vector, &dimensions, &err),
                     LKS_E_EMBEDDING_UNAVAILABLE);
    ck_assert_ptr_null(vector);
}
END_TEST

START_TEST(batches_keep_to_the_token_limit)
{
    static char long_text[1000];
    memset(long_text, 'x', sizeof long_text - 1);
    const char *const texts[] = {long_text, long_text, long_text, "a", "b"};
    config.max_batch_tokens = 400;
    config.concurrency = 1;
    open_embedder();
    struct req *req = embed(texts, 5);
    for (size_t i = 0; i < 5; i++) assert_embedded(req, i);
    ck_assert_int_eq(atomic_load(&request_count), 3);
    req_free(req);
}
END_TEST

START_TEST(equal_texts_cost_nothing_the_second_time)
{
    config.cache_bytes = 1 << 20;
    open_embedder();
    req_free(embed(five, 3));
    int before = atomic_load(&request_count);
    struct req *req = embed(five, 3);
    for (size_t i = 0; i < 3; i++) assert_embedded(req, i);
    ck_assert_uint_eq(req->embed.cached, 3);
    ck_assert_uint_eq(req->embed.dimensions, 4);
    ck_assert_int_eq(atomic_load(&request_count), before);
    req_free(req);
    struct embed_stats stats;
    embed_stats(embedders, 0, &stats);
    ck_assert_uint_eq(stats.cached, 3);
    ck_assert_uint_eq(stats.texts, 3);
    /* another model under the same name: what was kept is forgotten */
    server_does.dimensions = 6;
    req_free(embed(five + 3, 1));
    req = embed(five, 3);
    ck_assert_uint_eq(req->embed.cached, 0);
    ck_assert_uint_eq(req->embed.dimensions, 6);
    req_free(req);
}
END_TEST

/* ---- base64 ---- */

/* Whether texts are asked for in base64 after a probe, which has some time to find out. */
static bool in_base64(void)
{
    req_free(probe());
    for (int i = 0; i < 50; i++) {
        usleep(10000);
        struct req *req = embed(five, 2);
        assert_embedded(req, 0);
        assert_embedded(req, 1);
        req_free(req);
        if (strstr(last_body, "\"bb\"") && strstr(last_body, "base64")) return true;
    }
    return false;
}

static const struct {
    enum embed_encoding encoding;
    const char *form;
    bool refuses, base64;
} forms[] = {
    {EMBED_ENCODING_AUTO, NULL, false, true},      {EMBED_ENCODING_AUTO, "half", false, false},
    {EMBED_ENCODING_AUTO, "double", false, false}, {EMBED_ENCODING_AUTO, "order", false, false},
    {EMBED_ENCODING_AUTO, NULL, true, false},      {EMBED_ENCODING_FLOAT, NULL, false, false},
    {EMBED_ENCODING_BASE64, NULL, false, true},
};

START_TEST(base64_is_used_where_it_gives_the_same_vector)
{
    config.encoding = forms[_i].encoding;
    server_does.form = forms[_i].form;
    server_does.refuses_base64 = forms[_i].refuses;
    open_embedder();
    ck_assert_int_eq(in_base64(), forms[_i].base64);
}
END_TEST

/* It is refused with other words and another status than one knows. */
START_TEST(base64_that_is_refused_anyhow_is_left_out)
{
    config.encoding = EMBED_ENCODING_BASE64;
    server_does.poison = "base64";
    server_does.poison_status = 500;
    server_does.poison_reply = "no";
    open_embedder();
    struct req *req = embed(five, 5);
    for (size_t i = 0; i < 5; i++) assert_embedded(req, i);
    req_free(req);
    int before = atomic_load(&request_count);
    req_free(embed(five, 5));
    ck_assert_int_eq(atomic_load(&request_count), before + 1); /* it is remembered */
}
END_TEST

/* A text that is asked for again is, and what comes goes into the cache. */
START_TEST(who_asks_anew_hears_the_model_and_not_the_cache)
{
    config.cache_bytes = 1 << 20;
    open_embedder();
    req_free(embed(five, 3));
    int before = atomic_load(&request_count);
    struct req *req = make(five, 3);
    bool *fresh = calloc(3, sizeof *fresh);
    fresh[1] = true;
    req->embed.fresh = fresh;
    struct port port = embed_port(embedders);
    port.submit(port.self, req);
    req = queue_take(&inbox, 30000);
    for (size_t i = 0; i < 3; i++) assert_embedded(req, i);
    ck_assert_uint_eq(req->embed.cached, 2);
    ck_assert_int_eq(atomic_load(&request_count), before + 1);
    ck_assert_ptr_nonnull(strstr(last_body, "[\"bb\"]"));
    req_free(req);
}
END_TEST

/* ---- TEI's /info ---- */

START_TEST(tei_says_how_many_it_takes_and_which_model_it_is)
{
    static char texts_data[40][4];
    const char *texts[40];
    for (size_t i = 0; i < 40; i++) {
        (void)snprintf(texts_data[i], sizeof texts_data[i], "%zu", i);
        texts[i] = texts_data[i];
    }
    config.provider = EMBED_TEI;
    config.model = "";
    server_does.info = "{\"model_id\":\"BAAI/bge\",\"max_client_batch_size\":8}";
    open_embedder();
    struct req *req = embed(texts, 40);
    for (size_t i = 0; i < 40; i++) assert_embedded(req, i);
    ck_assert_int_eq(atomic_load(&greatest_batch), 8);
    req_free(req);
}
END_TEST

START_TEST(tei_with_another_model_is_not_used)
{
    config.provider = EMBED_TEI;
    config.model = "BAAI/other";
    server_does.info = "{\"model_id\":\"BAAI/bge\",\"max_client_batch_size\":8}";
    open_embedder();
    struct req *req = embed(five, 2);
    assert_failed(req, 0, LKS_E_EMBEDDING_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(req->embed.errors[1]->text, "has the model BAAI/bge"));
    req_free(req);
    server_does.info = "{\"model_id\":\"BAAI/other\"}";
    req = probe();
    ck_assert_int_eq(req->err.code, LKS_E_OK);
    req_free(req);
    req = embed(five, 2);
    assert_embedded(req, 1);
    req_free(req);
}
END_TEST

/* ---- one bad text ---- */

static const struct {
    enum embed_provider provider;
    int status;
    const char *reply;
    enum lks_code code;
} poisons[] = {
    {EMBED_OPENAI, 400, "{\"error\":{\"message\":\"maximum context length exceeded\"}}",
     LKS_E_EMBEDDING_REJECTED},
    {EMBED_OPENAI, 500, "{\"error\":{\"message\":\"input is too large to process\"}}",
     LKS_E_EMBEDDING_REJECTED},
    {EMBED_OPENAI, 500, "oops", LKS_E_EMBEDDING_UNAVAILABLE},
    {EMBED_OPENAI, 502, "oops", LKS_E_EMBEDDING_UNAVAILABLE},
    {EMBED_OPENAI, 424, "{}", LKS_E_EMBEDDING_UNAVAILABLE},
    {EMBED_OPENAI, 403, "{\"error\":{\"message\":\"content filter\"}}", LKS_E_EMBEDDING_REJECTED},
    {EMBED_OPENAI, 404, "{}", LKS_E_EMBEDDING_UNAVAILABLE},
    {EMBED_OPENAI, 200, "{\"error\":{\"message\":\"too long\",\"code\":400}}", LKS_E_EMBEDDING_REJECTED},
    {EMBED_OPENAI, 200, "{\"data\":[{\"embedding\":[NaN,NaN]}]}", LKS_E_EMBEDDING_REJECTED},
    {EMBED_OPENAI, 200, "{\"data\":[{\"embedding\":[1,-Infinity]}]}", LKS_E_EMBEDDING_REJECTED},
    {EMBED_OPENAI, 200, "{\"data\":[{\"embedding\":[1e39,0,0,0]}]}", LKS_E_EMBEDDING_REJECTED},
    /* no answer to this text, this time */
    {EMBED_OPENAI, 200, "{\"data\":[]}", LKS_E_EMBEDDING_UNAVAILABLE},
    {EMBED_OLLAMA, 400, "{\"error\":\"the input length exceeds the context length\"}",
     LKS_E_EMBEDDING_REJECTED},
    {EMBED_OLLAMA, 200, "{\"embeddings\":[]}", LKS_E_EMBEDDING_UNAVAILABLE},
    {EMBED_TEI, 413, "{\"error\":\"must have less than 512 tokens\"}", LKS_E_EMBEDDING_REJECTED},
    {EMBED_TEI, 200, "[[null,1,2,3]]", LKS_E_EMBEDDING_REJECTED},
};

START_TEST(a_poisonous_text_fails_alone)
{
    static char data[30][20];
    const char *texts[30];
    for (size_t i = 0; i < 30; i++) {
        (void)snprintf(data[i], sizeof data[i], "%s %zu", i == 17 ? "poison" : "text", i);
        texts[i] = data[i];
    }
    config.provider = poisons[_i].provider;
    server_does.poison = "poison";
    server_does.poison_status = poisons[_i].status;
    server_does.poison_reply = poisons[_i].reply;
    open_embedder();
    struct req *req = embed(texts, 30);
    for (size_t i = 0; i < 30; i++)
        if (i == 17)
            assert_failed(req, i, poisons[_i].code);
        else
            assert_embedded(req, i);
    /* the batch, a proof, two for each halving; where a key may have expired meanwhile, a proof for each */
    bool again = poisons[_i].status == 403 || poisons[_i].status == 404;
    ck_assert_int_le(atomic_load(&request_count), again ? 18 : 12);
    req_free(req);
    /* and alone from the beginning */
    req = embed(texts + 17, 1);
    assert_failed(req, 0, poisons[_i].code);
    req_free(req);
}
END_TEST

START_TEST(a_server_that_takes_fewer_texts_is_given_fewer)
{
    static char data[30][20];
    const char *texts[30];
    for (size_t i = 0; i < 30; i++) {
        (void)snprintf(data[i], sizeof data[i], "text %zu", i);
        texts[i] = data[i];
    }
    server_does.most = 4;
    open_embedder();
    struct req *req = embed(texts, 30);
    for (size_t i = 0; i < 30; i++) assert_embedded(req, i);
    req_free(req);
    int before = atomic_load(&request_count);
    req = embed(texts, 30);
    for (size_t i = 0; i < 30; i++) assert_embedded(req, i);
    ck_assert_int_le(atomic_load(&request_count) - before, 10); /* it was learned: none is refused */
    req_free(req);
}
END_TEST

/* A proxy's limit, which no words explain: it is met once, and not with every batch again. */
START_TEST(a_server_that_takes_less_in_a_request_is_given_less)
{
    static char data[30][4000];
    const char *texts[30];
    for (size_t i = 0; i < 30; i++) {
        memset(data[i], 'a' + (int)i % 26, sizeof data[i] - 1);
        texts[i] = data[i];
    }
    server_does.most_bytes = 50000;
    open_embedder();
    struct req *req = embed(texts, 30);
    for (size_t i = 0; i < 30; i++) assert_embedded(req, i);
    req_free(req);
    ck_assert_int_ge(atomic_load(&refused_count), 1);
    for (int round = 0; round < 3; round++) {
        int before = atomic_load(&refused_count);
        for (size_t i = 0; i < 30; i++) data[i][0] = (char)('0' + round); /* others than before */
        req = embed(texts, 30);
        for (size_t i = 0; i < 30; i++) assert_embedded(req, i);
        ck_assert_int_eq(atomic_load(&refused_count), before);
        ck_assert_int_gt(atomic_load(&greatest_batch), 1);
        req_free(req);
    }
}
END_TEST

/* ---- texts that hang ---- */

/* No outcome yet: neither vector nor error. */
static bool is_open(const struct req *req, size_t i)
{
    return !req->embed.vectors[i] && !req->embed.errors[i];
}

/* With one request at a time, as with several: the others are answered, and it is asked for again. */
START_TEST(a_text_that_hangs_keeps_no_other_waiting)
{
    static const char *const texts[] = {"one", "two", "three", "hang", "five", "six"};
    static const char *const later[] = {"seven", "hang", "eight"};
    config.concurrency = _i ? 4 : 1;
    config.hang_ms = 200;
    config.timeout_ms = config.load_timeout_ms = 5000;
    server_does.hang_on = "hang";
    open_embedder();
    int64_t began_ms = clock_ms();
    struct req *req = embed(texts, 6);
    ck_assert_int_lt(clock_ms() - began_ms, 4900); /* not by its time-out */
    for (size_t i = 0; i < 6; i++)
        if (i == 3)
            ck_assert(is_open(req, i));
        else
            assert_embedded(req, i);
    req_free(req);
    ck_assert_int_eq(atomic_load(&hung_count), 2); /* with the others, then alone */
    req = embed(later, 3);                         /* the engine asks again, beside others */
    ck_assert(is_open(req, 1));
    assert_embedded(req, 0);
    assert_embedded(req, 2);
    req_free(req);
    req = embed(texts + 3, 1); /* and alone: now its own time ends it */
    assert_failed(req, 0, LKS_E_EMBEDDING_TIMEOUT);
    ck_assert_int_eq(req->embed.errors[0]->blame, LKS_BLAME_CONTENT);
    ck_assert_ptr_nonnull(strstr(req->embed.errors[0]->text, "answers other texts, but not this one"));
    req_free(req);
    ck_assert_int_eq(atomic_load(&hung_count), 2); /* it was sent no second time */
    req = embed(texts, 6);                         /* known: it goes alone from the beginning */
    for (size_t i = 0; i < 6; i++)
        if (i != 3) assert_embedded(req, i);
    ck_assert(is_open(req, 3));
    req_free(req);
    ck_assert_int_eq(atomic_load(&hung_count), 3);
}
END_TEST

/* A server that is merely slow is not asked twice. */
START_TEST(a_server_that_answers_nobody_is_waited_for)
{
    config.hang_ms = 100;
    config.timeout_ms = config.load_timeout_ms = 1500;
    server_does.hang = true;
    open_embedder();
    struct req *req = embed(five, 5);
    for (size_t i = 0; i < 5; i++) assert_failed(req, i, LKS_E_EMBEDDING_TIMEOUT);
    ck_assert_ptr_null(strstr(req->embed.errors[0]->text, "answers other texts"));
    req_free(req);
}
END_TEST

/* A full queue is not asked over and over again whether it is one. */
START_TEST(probes_that_are_refused_are_few)
{
    config.hang_ms = 100;
    config.timeout_ms = config.load_timeout_ms = 1500;
    server_does.hang_on = "hang";
    server_does.status = 503; /* for others */
    server_does.reply = "{}";
    open_embedder();
    struct req *req = embed((const char *const[]){"hang"}, 1);
    assert_failed(req, 0, LKS_E_EMBEDDING_TIMEOUT);
    ck_assert_ptr_null(strstr(req->embed.errors[0]->text, "answers other texts"));
    ck_assert_int_ge(atomic_load(&request_count), 2);
    ck_assert_int_le(atomic_load(&request_count), 20);
    req_free(req);
}
END_TEST

/* ---- the server's own trouble ---- */

static const struct {
    enum embed_provider provider;
    int status;
    const char *headers, *reply;
    enum lks_code code;
    int64_t retry_after_ms;
} troubles[] = {
    {EMBED_OPENAI, 401, "", "{}", LKS_E_EMBEDDING_UNAVAILABLE, 0},
    {EMBED_OPENAI, 404, "", "{}", LKS_E_EMBEDDING_UNAVAILABLE, 0},
    {EMBED_OPENAI, 429, "Retry-After: 7\r\n", "{}", LKS_E_EMBEDDING_RATE_LIMIT, 7000},
    {EMBED_OPENAI, 429, "retry-after-ms: 250\r\nRetry-After: 7\r\n", "{}", LKS_E_EMBEDDING_RATE_LIMIT, 250},
    {EMBED_OPENAI, 503, "Retry-After: 2\r\n", "", LKS_E_EMBEDDING_UNAVAILABLE, 2000},
    {EMBED_OPENAI, 504, "", "", LKS_E_EMBEDDING_TIMEOUT, 0},
    /* it refuses everything, a fixed word too: no text is to blame */
    {EMBED_OPENAI, 400, "", "{\"error\":{\"message\":\"bad request\"}}", LKS_E_EMBEDDING_UNAVAILABLE, 0},
    {EMBED_OPENAI, 500, "", "oops", LKS_E_EMBEDDING_UNAVAILABLE, 0},
    {EMBED_OPENAI, 200, "", "<html>hello</html>", LKS_E_EMBEDDING_UNAVAILABLE, 0},
    {EMBED_OPENAI, 200, "", "{\"data\":{}}", LKS_E_EMBEDDING_UNAVAILABLE, 0},
    {EMBED_OPENAI, 200, "", "{\"data\":[{\"embedding\":\"!!!!\"}]}", LKS_E_EMBEDDING_UNAVAILABLE, 0},
    {EMBED_OLLAMA, 400, "", "{\"error\":\"runner terminated\"}", LKS_E_EMBEDDING_UNAVAILABLE, 0},
    {EMBED_TEI, 424, "", "{}", LKS_E_EMBEDDING_UNAVAILABLE, 0},
};

START_TEST(a_server_in_trouble_is_blamed_itself)
{
    config.provider = troubles[_i].provider;
    server_does.status = troubles[_i].status;
    server_does.headers = troubles[_i].headers;
    server_does.reply = troubles[_i].reply;
    config.batch_size = 2;
    open_embedder();
    struct req *req = embed(five, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_failed(req, i, troubles[_i].code);
        ck_assert_int_eq(req->embed.errors[i]->retry_after_ms, troubles[_i].retry_after_ms);
    }
    ck_assert_int_le(atomic_load(&request_count), 6);
    req_free(req);
    req = probe();
    ck_assert_int_eq(req->err.code, troubles[_i].code);
    req_free(req);
    /* and is used again when it is over */
    server_does.status = 0;
    req = probe();
    ck_assert_int_eq(req->err.code, LKS_E_OK);
    ck_assert_uint_eq(req->embed_probe.dimensions, 4);
    req_free(req);
    req = embed(five, 5);
    for (size_t i = 0; i < 5; i++) assert_embedded(req, i);
    req_free(req);
}
END_TEST

START_TEST(nobody_there_is_unavailable)
{
    config.url = "http://127.0.0.1:1";
    open_embedder();
    struct req *req = embed(five, 2);
    assert_failed(req, 0, LKS_E_EMBEDDING_UNAVAILABLE);
    assert_failed(req, 1, LKS_E_EMBEDDING_UNAVAILABLE);
    req_free(req);
}
END_TEST

START_TEST(other_dimensions_than_configured_are_reported)
{
    config.dimensions = 8;
    open_embedder();
    struct req *req = probe();
    ck_assert_int_eq(req->err.code, LKS_E_EMBEDDING_UNAVAILABLE);
    char expected[300];
    (void)snprintf(expected, sizeof expected,
                   "the model gives 4 dimensions, the configuration asks for 8: check `dimensions` of the "
                   "embedding (from %s/v1/embeddings)",
                   url);
    ck_assert_str_eq(req->err.text, expected);
    req_free(req);
    req = embed(five, 2);
    assert_failed(req, 0, LKS_E_EMBEDDING_UNAVAILABLE);
    req_free(req);
}
END_TEST

START_TEST(a_wrong_number_of_vectors_is_no_answer)
{
    open_embedder();
    server_does.extra = 1;
    struct req *req = embed(five, 2);
    assert_failed(req, 0, LKS_E_EMBEDDING_UNAVAILABLE);
    req_free(req);
}
END_TEST

/* ---- the end ---- */

START_TEST(closing_posts_everything_back)
{
    server_does.hang = true;
    config.batch_size = 1;
    config.concurrency = 2;
    open_embedder();
    struct port port = embed_port(embedders);
    for (int i = 0; i < 3; i++) port.submit(port.self, make(five, 5));
    port.submit(port.self, req_new(REQ_EMBED_PROBE, NULL));
    embed_close(embedders);
    embedders = NULL;
    for (int i = 0; i < 4; i++) {
        struct req *req = queue_take(&inbox, 0);
        ck_assert_msg(req != NULL, "request %d never came back", i);
        if (req->kind == REQ_EMBED && !req->err.code)
            assert_failed(req, 4, LKS_E_CANCELLED);
        else
            ck_assert_int_eq(req->err.code, LKS_E_CANCELLED);
        req_free(req);
    }
    ck_assert_ptr_null(queue_take(&inbox, 0));
}
END_TEST

/* ---- built in ---- */

START_TEST(built_in_embedders_need_no_server)
{
    char path[1000];
    const char *top = getenv("top_srcdir");
    struct lks_err err;
    (void)snprintf(path, sizeof path, "%s/core/embed/words.vec", top ? top : ".");
    struct embed_config both[2] = {config, config};
    both[0].provider = EMBED_WORDS;
    both[0].path = path;
    both[1].provider = EMBED_HASH;
    both[1].dimensions = 32;
    ck_assert_int_eq(embed_open(both, 2, NULL, (struct inbox){&inbox, come_back}, &embedders, &err),
                     LKS_E_OK);
    struct port port = embed_port(embedders);
    for (size_t k = 0; k < 2; k++) {
        struct req *req = make(five, 5);
        req->embed.embedder = k;
        port.submit(port.self, req);
        req = queue_take(&inbox, 30000);
        ck_assert_uint_eq(req->embed.dimensions, k ? 32 : 100);
        for (size_t i = 0; i < 5; i++) ck_assert_ptr_nonnull(req->embed.vectors[i]);
        float *vector = NULL;
        size_t dimensions = 0;
        ck_assert_int_eq(embed_query(embedders, k, "a", &vector, &dimensions, &err), LKS_E_OK);
        ck_assert_uint_eq(dimensions, req->embed.dimensions);
        ck_assert_int_eq(memcmp(vector, req->embed.vectors[0], dimensions * sizeof *vector), 0);
        free(vector);
        req_free(req);
        req = req_new(REQ_EMBED_PROBE, NULL);
        req->embed_probe.embedder = k;
        port.submit(port.self, req);
        req = queue_take(&inbox, 30000);
        ck_assert_uint_eq(req->embed_probe.dimensions, k ? 32 : 100);
        req_free(req);
    }
}
END_TEST

START_TEST(word_vectors_of_other_dimensions_are_refused)
{
    char path[1000];
    const char *top = getenv("top_srcdir");
    struct lks_err err;
    (void)snprintf(path, sizeof path, "%s/core/embed/words.vec", top ? top : ".");
    config.provider = EMBED_WORDS;
    config.path = path;
    config.dimensions = 300;
    ck_assert_int_eq(embed_open(&config, 1, NULL, (struct inbox){&inbox, come_back}, &embedders, &err),
                     LKS_E_CONFIG);
    ck_assert_str_eq(err.text,
                     "the word vectors have 100 dimensions, not 300: remove `dimensions` of the embedding");
}
END_TEST

START_TEST(fingerprints_name_what_decides_a_vector)
{
    char *text = NULL, path[1000];
    struct lks_err err;
    const char *top = getenv("top_srcdir");
    (void)snprintf(path, sizeof path, "%s/core/embed/words.vec", top ? top : ".");
    config.model = "text-embedding-3-small";
    ck_assert_int_eq(embed_fingerprint(&config, &text, &err), LKS_E_OK);
    ck_assert_str_eq(text, "text-embedding-3-small");
    free(text);
    config.dimensions = 512;
    config.document_prefix = "passage: ";
    ck_assert_int_eq(embed_fingerprint(&config, &text, &err), LKS_E_OK);
    ck_assert_str_eq(text, "text-embedding-3-small;dimensions=512;document_prefix=passage: ");
    free(text);
    config.provider = EMBED_HASH;
    config.document_prefix = "";
    ck_assert_int_eq(embed_fingerprint(&config, &text, &err), LKS_E_OK);
    ck_assert_str_eq(text, "hash/1;dimensions=512");
    free(text);
    config.provider = EMBED_WORDS;
    config.path = path;
    ck_assert_int_eq(embed_fingerprint(&config, &text, &err), LKS_E_OK);
    ck_assert_int_eq(strncmp(text, "words/1-", 8), 0);
    ck_assert_uint_eq(strlen(text), 16);
    free(text);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("embed");
    tcase_add_checked_fixture(tc, open_server, close_server);
    tcase_add_loop_test(tc, each_text_gets_its_own_vector, 0, sizeof ways / sizeof ways[0]);
    tcase_add_test(tc, no_texts_come_back_at_once);
    tcase_add_test(tc, prefix_model_key_and_dimensions_are_sent);
    tcase_add_test(tc, a_query_has_its_own_prefix_and_model);
    tcase_add_test(tc, batches_keep_to_the_token_limit);
    tcase_add_test(tc, equal_texts_cost_nothing_the_second_time);
    tcase_add_loop_test(tc, base64_is_used_where_it_gives_the_same_vector, 0, sizeof forms / sizeof forms[0]);
    tcase_add_test(tc, base64_that_is_refused_anyhow_is_left_out);
    tcase_add_test(tc, who_asks_anew_hears_the_model_and_not_the_cache);
    tcase_add_test(tc, tei_says_how_many_it_takes_and_which_model_it_is);
    tcase_add_test(tc, tei_with_another_model_is_not_used);
    tcase_add_loop_test(tc, a_poisonous_text_fails_alone, 0, sizeof poisons / sizeof poisons[0]);
    tcase_add_test(tc, a_server_that_takes_fewer_texts_is_given_fewer);
    tcase_add_test(tc, a_server_that_takes_less_in_a_request_is_given_less);
    tcase_add_loop_test(tc, a_server_in_trouble_is_blamed_itself, 0, sizeof troubles / sizeof troubles[0]);
    tcase_add_test(tc, nobody_there_is_unavailable);
    tcase_add_test(tc, other_dimensions_than_configured_are_reported);
    tcase_add_test(tc, a_wrong_number_of_vectors_is_no_answer);
    tcase_add_test(tc, closing_posts_everything_back);
    tcase_add_test(tc, built_in_embedders_need_no_server);
    tcase_add_test(tc, word_vectors_of_other_dimensions_are_refused);
    tcase_add_test(tc, fingerprints_name_what_decides_a_vector);
    Suite *suite = suite_create("embed");
    suite_add_tcase(suite, tc);
    TCase *slow = tcase_create("hang");
    tcase_set_timeout(slow, 60);
    tcase_add_checked_fixture(slow, open_server, close_server);
    tcase_add_loop_test(slow, a_text_that_hangs_keeps_no_other_waiting, 0, 2);
    tcase_add_test(slow, a_server_that_answers_nobody_is_waited_for);
    tcase_add_test(slow, probes_that_are_refused_are_few);
    suite_add_tcase(suite, slow);
    return suite_run(suite);
}
