/* test_embed_verdict.c - what each answer of an embedding server means. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "embed/embed_verdict.h"
#include "embed/provider.h"
#include "suite.h"

#define SERVER VERDICT_SERVER
#define TEXT VERDICT_TEXT

static const struct {
    enum embed_provider provider;
    enum http_failure failure;
    long status;
    const char *type, *reply;
    enum verdict_kind kind;
    enum lks_code code;
    const char *says; /* a part of the message */
} cases[] = {
    {EMBED_OPENAI, HTTP_OK, 200, "application/json", "{}", VERDICT_OK, LKS_E_OK, ""},
    /* no reply */
    {EMBED_OPENAI, HTTP_CONNECT, 0, "", "", SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "what curl said"},
    {EMBED_OPENAI, HTTP_TLS, 0, "", "", SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "what curl said"},
    {EMBED_OPENAI, HTTP_CUT, 0, "", "", TEXT, LKS_E_EMBEDDING_UNAVAILABLE, "what curl said"},
    {EMBED_OPENAI, HTTP_BAD_CALL, 0, "", "", SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "what curl said"},
    {EMBED_OPENAI, HTTP_TIMEOUT, 0, "", "", SERVER, LKS_E_EMBEDDING_TIMEOUT, "what curl said"},
    {EMBED_OPENAI, HTTP_CANCELLED, 0, "", "", SERVER, LKS_E_CANCELLED, "what curl said"},
    {EMBED_OPENAI, HTTP_TOO_LARGE, 200, "", "", SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "lower `batch_size`"},
    /* key, address, model: a person must act, and the message says how */
    {EMBED_OPENAI, HTTP_OK, 401, "application/json",
     "{\"error\":{\"message\":\"Incorrect API key provided: sk-se***et\",\"code\":\"invalid_api_key\"}}",
     TEXT, LKS_E_EMBEDDING_UNAVAILABLE, "refuses the key: check `api_key`"},
    {EMBED_OPENAI, HTTP_OK, 401, "application/json",
     "{\"error\":{\"message\":\"Incorrect API key provided: sk-se***et. You can find it\"}}", TEXT,
     LKS_E_EMBEDDING_UNAVAILABLE, "Incorrect API key provided: *** You can find it"},
    {EMBED_OPENAI, HTTP_OK, 403, "text/html", "<html>", TEXT, LKS_E_EMBEDDING_UNAVAILABLE, "check `api_key`"},
    {EMBED_OPENAI, HTTP_OK, 403, "application/json",
     "{\"error\":{\"message\":\"Country, region, or territory not supported\"}}", TEXT,
     LKS_E_EMBEDDING_UNAVAILABLE, "region, or territory not supported"},
    {EMBED_OPENAI, HTTP_OK, 407, "text/html", "", TEXT, LKS_E_EMBEDDING_UNAVAILABLE, "a proxy wants to know"},
    {EMBED_OPENAI, HTTP_OK, 402, "application/json", "{\"error\":\"no credit\"}", SERVER,
     LKS_E_EMBEDDING_UNAVAILABLE, "paid first: see to the account's plan and billing"},
    {EMBED_OPENAI, HTTP_OK, 404, "application/json",
     "{\"error\":{\"message\":\"The model `x` does not exist\",\"code\":\"model_not_found\"}}", TEXT,
     LKS_E_EMBEDDING_UNAVAILABLE, "check `url` and `model`"},
    {EMBED_OLLAMA, HTTP_OK, 404, "application/json",
     "{\"error\":\"model \\\"x\\\" not found, try pulling it first\"}", TEXT, LKS_E_EMBEDDING_UNAVAILABLE,
     "`ollama pull` it"},
    {EMBED_OPENAI, HTTP_OK, 301, "text/html", "", SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "points elsewhere"},
    {EMBED_OPENAI, HTTP_OK, 405, "text/plain", "Method Not Allowed", TEXT, LKS_E_EMBEDDING_UNAVAILABLE,
     "check `url`"},
    {EMBED_OPENAI, HTTP_OK, 400, "application/json",
     "{\"error\":{\"message\":\"This model does not support specifying dimensions.\"}}", SERVER,
     LKS_E_EMBEDDING_UNAVAILABLE, "can't give the dimensions"},
    {EMBED_OPENAI, HTTP_OK, 400, "application/json", "{\"error\":{\"message\":\"model x not found\"}}",
     SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "does not have the model"},
    {EMBED_OPENAI, HTTP_OK, 429, "application/json",
     "{\"error\":{\"message\":\"You exceeded your current "
     "quota\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
     SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "quota is used up"},
    /* passes by itself */
    {EMBED_OPENAI, HTTP_OK, 429, "application/json",
     "{\"error\":{\"message\":\"Rate limit reached\",\"code\":\"rate_limit_exceeded\"}}", SERVER,
     LKS_E_EMBEDDING_RATE_LIMIT, "fewer requests"},
    {EMBED_TEI, HTTP_OK, 429, "application/json",
     "{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}", SERVER, LKS_E_EMBEDDING_RATE_LIMIT,
     "Model is overloaded"},
    {EMBED_TEI, HTTP_OK, 424, "application/json",
     "{\"error\":\"inference failed\",\"error_type\":\"backend\"}", TEXT, LKS_E_EMBEDDING_UNAVAILABLE,
     "backend failed"},
    {EMBED_OLLAMA, HTTP_OK, 503, "application/json", "{\"error\":\"server busy\"}", SERVER,
     LKS_E_EMBEDDING_UNAVAILABLE, "server busy"},
    {EMBED_OPENAI, HTTP_OK, 502, "text/html", "<html>bad gateway</html>", TEXT, LKS_E_EMBEDDING_UNAVAILABLE,
     "the embedding server failed (status 502"},
    {EMBED_OPENAI, HTTP_OK, 429, "application/json",
     "[{\"error\":{\"code\":429,\"message\":\"You exceeded your current quota: "
     "PerMinute\",\"status\":\"RESOURCE_EXHAUSTED\"}}]",
     SERVER, LKS_E_EMBEDDING_RATE_LIMIT, "PerMinute"},
    {EMBED_OPENAI, HTTP_OK, 200, "application/json", "{\"error\":{\"message\":\"overloaded\",\"code\":502}}",
     TEXT, LKS_E_EMBEDDING_UNAVAILABLE, "overloaded"},
    {EMBED_OPENAI, HTTP_OK, 200, "application/json", "{\"error\":\"something broke\"}", TEXT,
     LKS_E_EMBEDDING_UNAVAILABLE, "something broke"},
    {EMBED_OPENAI, HTTP_OK, 201, "application/json", "{}", VERDICT_OK, LKS_E_OK, ""},
    {EMBED_OPENAI, HTTP_OK, 504, "", "", SERVER, LKS_E_EMBEDDING_TIMEOUT, "time was over"},
    {EMBED_OPENAI, HTTP_OK, 408, "", "", SERVER, LKS_E_EMBEDDING_TIMEOUT, "gave up waiting"},
    {EMBED_OLLAMA, HTTP_OK, 400, "application/json", "{\"error\":\"llama runner process has terminated\"}",
     TEXT, LKS_E_EMBEDDING_UNAVAILABLE, "runner process"},
    /* one of the texts */
    {EMBED_OPENAI, HTTP_OK, 400, "application/json",
     "{\"error\":{\"message\":\"This model's maximum context length is 8192 "
     "tokens\",\"type\":\"invalid_request_error\"}}",
     TEXT, LKS_E_EMBEDDING_REJECTED, "too long"},
    {EMBED_OPENAI, HTTP_OK, 400, "application/json", "{\"error\":{\"message\":\"'$.input' is invalid\"}}",
     TEXT, LKS_E_EMBEDDING_REJECTED, "refuses this text"},
    {EMBED_OPENAI, HTTP_OK, 422, "application/json",
     "{\"detail\":[{\"msg\":\"bad input\",\"input\":\"secret text\"}]}", TEXT, LKS_E_EMBEDDING_REJECTED,
     ": bad input"},
    {EMBED_OPENAI, HTTP_OK, 500, "application/json",
     "{\"error\":{\"message\":\"input is too large to process\"}}", TEXT, LKS_E_EMBEDDING_REJECTED,
     "too long"},
    {EMBED_OPENAI, HTTP_OK, 500, "text/plain", "oops\nagain", TEXT, LKS_E_EMBEDDING_UNAVAILABLE,
     "oops again"},
    {EMBED_OLLAMA, HTTP_OK, 400, "application/json",
     "{\"error\":\"the input length exceeds the context length\"}", TEXT, LKS_E_EMBEDDING_REJECTED,
     "too long"},
    {EMBED_TEI, HTTP_OK, 413, "application/json",
     "{\"error\":\"`inputs` must have less than 512 tokens. Given: 600\"}", TEXT, LKS_E_EMBEDDING_REJECTED,
     "too long"},
    {EMBED_TEI, HTTP_OK, 422, "application/json",
     "{\"error\":\"batch size 64 > maximum allowed batch size 32\"}", TEXT, LKS_E_EMBEDDING_REJECTED,
     "batch size"},
    /* encoding_format */
    {EMBED_OPENAI, HTTP_OK, 400, "application/json",
     "{\"error\":{\"message\":\"unknown field encoding_format\"}}", VERDICT_PLAIN,
     LKS_E_EMBEDDING_UNAVAILABLE, "encoding_format"},
};

static struct verdict judged(size_t i, bool base64)
{
    struct embed_config config = {
        .provider = cases[i].provider, .model = "x", .api_key = "sk-secret", .dimensions = 64};
    struct http_call call = {.url = "http://u:p@host:1/v1/embeddings?k=v",
                             .failure = cases[i].failure,
                             .status = cases[i].status,
                             .retry_after_ms = 1500,
                             .sent = true};
    buf_init(&call.reply, 0);
    buf_puts(&call.reply, cases[i].reply);
    (void)snprintf(call.content_type, sizeof call.content_type, "%s", cases[i].type);
    (void)snprintf(call.error, sizeof call.error, "what curl said");
    struct verdict v;
    verdict_of_call(&config, config.api_key, &call, base64, &v);
    buf_fini(&call.reply);
    return v;
}

START_TEST(an_answer_has_one_meaning)
{
    struct verdict v = judged((size_t)_i, true);
    ck_assert_int_eq(v.kind, cases[_i].kind);
    ck_assert_int_eq(v.err.code, cases[_i].code);
    ck_assert_msg(strstr(v.err.text, cases[_i].says) != NULL, "\"%s\" says nothing of \"%s\"", v.err.text,
                  cases[_i].says);
    ck_assert_ptr_null(strstr(v.err.text, "sk-se"));
    ck_assert_ptr_null(strstr(v.err.text, "secret"));
    ck_assert_ptr_null(strstr(v.err.text, "u:p"));
    bool waits = v.err.code == LKS_E_EMBEDDING_RATE_LIMIT || cases[_i].status >= 500 ||
                 (cases[_i].status == 200 && cases[_i].code && !cases[_i].failure);
    ck_assert_int_eq(v.err.retry_after_ms, waits ? 1500 : 0);
}
END_TEST

START_TEST(without_asking_for_base64_nothing_is_blamed_on_it)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_int_ne(judged(i, false).kind, VERDICT_PLAIN);
}
END_TEST

START_TEST(a_quoted_key_is_hidden)
{
    struct embed_config config = {.provider = EMBED_OPENAI, .model = "x", .api_key = "sk-secret"};
    struct http_call call = {.url = "http://h/", .status = 418};
    struct verdict v;
    buf_init(&call.reply, 0);
    buf_puts(&call.reply, "{\"error\":\"no sk-secret, no sk-secret!\"}");
    verdict_of_call(&config, config.api_key, &call, false, &v);
    ck_assert_ptr_null(strstr(v.err.text, "sk-"));
    ck_assert_ptr_nonnull(strstr(v.err.text, "no ***, no ***!"));
    buf_fini(&call.reply);
}
END_TEST

/* A server that echoes what it was sent must not have us repeat it. */
START_TEST(a_broken_answer_is_not_repeated)
{
    static const char reply[] = "{\"data\": sk-secret}";
    struct answer answer;
    struct lks_err err;
    ck_assert(answer_init(&answer, 1));
    ck_assert_int_eq(provider_openai.read(reply, sizeof reply - 1, &answer, &err),
                     LKS_E_EMBEDDING_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.text, "no JSON"));
    ck_assert_ptr_null(strstr(err.text, "sk-"));
    answer_fini(&answer);
}
END_TEST

/* ---- which vector is whose ---- */

static const struct {
    const char *reply;
    const char *says; /* NULL: text i has the vector [i + 1] */
} replies[] = {
    {"{\"data\":[{\"embedding\":[1]},{\"embedding\":[2]}]}", NULL},
    {"{\"data\":[{\"index\":1,\"embedding\":[2]},{\"index\":0,\"embedding\":[1]}]}", NULL},
    {"{\"data\":[{\"index\":null,\"embedding\":[1]},{\"embedding\":[2]}]}", NULL},
    {"{\"data\":[{\"index\":1.0,\"embedding\":[2]},{\"index\":0.0,\"embedding\":[1]}]}",
     "data[0] is written 1"},
    {"{\"data\":[{\"index\":\"1\",\"embedding\":[2]},{\"index\":\"0\",\"embedding\":[1]}]}",
     "data[0] is a string"},
    {"{\"data\":[{\"index\":1,\"embedding\":[2]},{\"embedding\":[1]}]}", "data[1] is missing"},
    {"{\"data\":[{\"embedding\":[2]},{\"index\":0,\"embedding\":[1]}]}",
     "data[1] is 0, but not that of others"},
    {"{\"data\":[{\"index\":1,\"embedding\":[2]},{\"index\":1,\"embedding\":[1]}]}",
     "data[1] is 1, as that of another"},
    {"{\"data\":[{\"index\":1,\"embedding\":[2]},{\"index\":2,\"embedding\":[1]}]}",
     "data[1] is 2, which no text has"},
    {"{\"data\":[{\"index\":-1,\"embedding\":[2]},{\"index\":0,\"embedding\":[1]}]}",
     "data[0] is -1, which no text has"},
    {"{\"data\":[{\"index\":true,\"embedding\":[2]},{\"index\":0,\"embedding\":[1]}]}",
     "data[0] is something else"},
    {"{\"data\":[{\"index\":1,\"embedding\":[NaN]},{\"index\":1,\"embedding\":[1]}]}", "as that of another"},
    {"{\"data\":[{\"index\":0,\"embedding\":[1]}]}", "2 texts with 1 vectors"},
    {"{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":1,\"embedding\":[1]},{\"index\":2,\"embedding\":["
     "1]}]}",
     "2 texts with 3 vectors"},
    {"\xEF\xBB\xBF{\"data\":[{\"embedding\":[1]},{\"embedding\":[2]}]}", NULL},
};

START_TEST(a_reply_says_which_vector_is_whose_or_is_refused)
{
    struct answer answer;
    struct lks_err err;
    const char *reply = replies[_i].reply;
    ck_assert(answer_init(&answer, 2));
    enum lks_code code = provider_openai.read(reply, strlen(reply), &answer, &err);
    if (replies[_i].says) {
        ck_assert_int_eq(code, LKS_E_EMBEDDING_UNAVAILABLE);
        ck_assert_msg(strstr(err.text, replies[_i].says) != NULL, "%s", err.text);
    } else {
        ck_assert_int_eq(code, LKS_E_OK);
        for (size_t i = 0; i < 2; i++) ck_assert_float_eq(answer.vectors[i][0], (float)i + 1);
    }
    answer_fini(&answer);
}
END_TEST

/* Numbers that JSON can't hold spoil the one vector they are in, and are named. */
START_TEST(numbers_that_are_none_are_named)
{
    static const struct {
        const char *reply, *flaw;
    } flaws[] = {
        {"{\"data\":[{\"embedding\":[1,NaN]},{\"embedding\":[2,3]}]}", "element 1 of 2 is NaN"},
        {"{\"data\":[{\"embedding\":[-Infinity,0]},{\"embedding\":[2,3]}]}", "element 0 of 2 is -Infinity"},
        {"{\"data\":[{\"embedding\":[null,0]},{\"embedding\":[2,3]}]}", "element 0 of 2 is null"},
        {"{\"data\":[{\"embedding\":[1e39,0]},{\"embedding\":[2,3]}]}", "is infinite as a 32-bit float"},
        {"{\"say\":\"a NaN \\\" Infinity\",\"data\":[{\"embedding\":[NaN]},{\"embedding\":[2]}]}",
         "element 0 of 1 is NaN"},
    };
    for (size_t i = 0; i < sizeof flaws / sizeof flaws[0]; i++) {
        struct answer answer;
        struct lks_err err;
        ck_assert(answer_init(&answer, 2));
        ck_assert_int_eq(provider_openai.read(flaws[i].reply, strlen(flaws[i].reply), &answer, &err),
                         LKS_E_OK);
        ck_assert_ptr_null(answer.vectors[0]);
        ck_assert_ptr_nonnull(answer.vectors[1]);
        ck_assert_msg(strstr(answer.flaw, flaws[i].flaw) != NULL, "%s", answer.flaw);
        answer_fini(&answer);
    }
}
END_TEST

/* ---- addresses ---- */

static const struct {
    enum embed_provider provider;
    const char *url, *asked;
} addresses[] = {
    {EMBED_OPENAI, "http://h", "http://h/v1/embeddings"},
    {EMBED_OPENAI, "http://h/", "http://h/v1/embeddings"},
    {EMBED_OPENAI, "http://h/v1", "http://h/v1/embeddings"},
    {EMBED_OPENAI, "http://h/v1//", "http://h/v1/embeddings"},
    {EMBED_OPENAI, "http://h/a/v1/embeddings", "http://h/a/v1/embeddings"},
    {EMBED_OPENAI, "https://h/v1beta/openai", "https://h/v1beta/openai/embeddings"},
    {EMBED_OPENAI, "https://h/v1beta/openai/", "https://h/v1beta/openai/embeddings"},
    {EMBED_OPENAI, "https://h/v1/openai", "https://h/v1/openai/embeddings"},
    {EMBED_OPENAI, "https://h/openai", "https://h/openai/v1/embeddings"},
    {EMBED_OPENAI, "https://h/openai/v1?api-version=preview",
     "https://h/openai/v1/embeddings?api-version=preview"},
    {EMBED_OPENAI, "https://h/openai/deployments/small?api-version=2024-06-01",
     "https://h/openai/deployments/small/embeddings?api-version=2024-06-01"},
    {EMBED_OPENAI, "https://h/v1/embeddings?a=b/c", "https://h/v1/embeddings?a=b/c"},
    {EMBED_OPENAI, "https://h?a=b", "https://h/v1/embeddings?a=b"},
    {EMBED_OPENAI, "https://h/voice", "https://h/voice/v1/embeddings"},
    {EMBED_OPENAI, "https://v1", "https://v1/v1/embeddings"},
    {EMBED_OPENAI, "https://h/v1.5", "https://h/v1.5/v1/embeddings"},
    {EMBED_OLLAMA, "http://h", "http://h/api/embed"},
    {EMBED_OLLAMA, "http://h/api", "http://h/api/embed"},
    {EMBED_OLLAMA, "http://h/api/", "http://h/api/embed"},
    {EMBED_OLLAMA, "http://h/gpu/api/embed", "http://h/gpu/api/embed"},
    {EMBED_OLLAMA, "http://h/api/embeddings", "http://h/api/embed"},
    {EMBED_OLLAMA, "http://h/v1", "http://h/api/embed"},
    {EMBED_OLLAMA, "http://h/x-api?k=1", "http://h/x-api/api/embed?k=1"},
    {EMBED_TEI, "http://h", "http://h/embed"},
    {EMBED_TEI, "http://h/embed?k=1", "http://h/embed?k=1"},
    {EMBED_TEI, "http://h/a/?k=1", "http://h/a/embed?k=1"},
};

START_TEST(an_address_is_parsed_and_not_appended_to)
{
    struct embed_config config = {.provider = addresses[_i].provider, .url = addresses[_i].url};
    struct buf out;
    buf_init(&out, 0);
    provider_of(config.provider)->url(&config, &out);
    ck_assert_str_eq(out.data, addresses[_i].asked);
    if (config.provider == EMBED_TEI) {
        buf_clear(&out);
        tei_info_url(&config, &out);
        ck_assert_ptr_nonnull(strstr(out.data, "/info"));
        ck_assert_ptr_null(strstr(out.data, "embed"));
    }
    buf_fini(&out);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("verdict");
    tcase_add_loop_test(tc, an_answer_has_one_meaning, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tc, without_asking_for_base64_nothing_is_blamed_on_it);
    tcase_add_test(tc, a_quoted_key_is_hidden);
    tcase_add_test(tc, a_broken_answer_is_not_repeated);
    tcase_add_loop_test(tc, a_reply_says_which_vector_is_whose_or_is_refused, 0,
                        sizeof replies / sizeof replies[0]);
    tcase_add_test(tc, numbers_that_are_none_are_named);
    tcase_add_loop_test(tc, an_address_is_parsed_and_not_appended_to, 0,
                        sizeof addresses / sizeof addresses[0]);
    Suite *suite = suite_create("embed_verdict");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
