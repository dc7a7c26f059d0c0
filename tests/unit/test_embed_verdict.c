/* test_embed_verdict.c - what each answer of an embedding server means. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "embed/provider.h"
#include "embed/verdict.h"
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
    {EMBED_OPENAI, HTTP_CUT, 0, "", "", SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "what curl said"},
    {EMBED_OPENAI, HTTP_BAD_CALL, 0, "", "", SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "what curl said"},
    {EMBED_OPENAI, HTTP_TIMEOUT, 0, "", "", SERVER, LKS_E_EMBEDDING_TIMEOUT, "what curl said"},
    {EMBED_OPENAI, HTTP_CANCELLED, 0, "", "", SERVER, LKS_E_CANCELLED, "what curl said"},
    {EMBED_OPENAI, HTTP_TOO_LARGE, 200, "", "", SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "lower `batch_size`"},
    /* key, address, model: a person must act, and is told what to do */
    {EMBED_OPENAI, HTTP_OK, 401, "application/json",
     "{\"error\":{\"message\":\"Incorrect API key provided: sk-se***et\",\"code\":\"invalid_api_key\"}}",
     SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "refuses the key: check `api_key`"},
    {EMBED_OPENAI, HTTP_OK, 403, "text/html", "<html>", SERVER, LKS_E_EMBEDDING_UNAVAILABLE,
     "check `api_key`"},
    {EMBED_OPENAI, HTTP_OK, 404, "application/json",
     "{\"error\":{\"message\":\"The model `x` does not exist\",\"code\":\"model_not_found\"}}", SERVER,
     LKS_E_EMBEDDING_UNAVAILABLE, "check `url` and `model`"},
    {EMBED_OLLAMA, HTTP_OK, 404, "application/json",
     "{\"error\":\"model \\\"x\\\" not found, try pulling it first\"}", SERVER, LKS_E_EMBEDDING_UNAVAILABLE,
     "`ollama pull` it"},
    {EMBED_OPENAI, HTTP_OK, 301, "text/html", "", SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "points elsewhere"},
    {EMBED_OPENAI, HTTP_OK, 405, "text/plain", "Method Not Allowed", SERVER, LKS_E_EMBEDDING_UNAVAILABLE,
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
     "{\"error\":\"inference failed\",\"error_type\":\"backend\"}", SERVER, LKS_E_EMBEDDING_UNAVAILABLE,
     "backend failed"},
    {EMBED_OLLAMA, HTTP_OK, 503, "application/json", "{\"error\":\"server busy\"}", SERVER,
     LKS_E_EMBEDDING_UNAVAILABLE, "server busy"},
    {EMBED_OPENAI, HTTP_OK, 502, "text/html", "<html>bad gateway</html>", SERVER, LKS_E_EMBEDDING_UNAVAILABLE,
     "not available"},
    {EMBED_OPENAI, HTTP_OK, 504, "", "", SERVER, LKS_E_EMBEDDING_TIMEOUT, "time was over"},
    {EMBED_OPENAI, HTTP_OK, 408, "", "", SERVER, LKS_E_EMBEDDING_TIMEOUT, "gave up waiting"},
    {EMBED_OLLAMA, HTTP_OK, 400, "application/json", "{\"error\":\"llama runner process has terminated\"}",
     SERVER, LKS_E_EMBEDDING_UNAVAILABLE, "runner process"},
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
    {EMBED_OPENAI, HTTP_OK, 500, "text/plain", "oops\nagain", TEXT, LKS_E_UNKNOWN, "oops again"},
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
    verdict_of_call(&config, &call, base64, &v);
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
    bool waits = v.err.code == LKS_E_EMBEDDING_RATE_LIMIT || cases[_i].status >= 502;
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
    verdict_of_call(&config, &call, false, &v);
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

int main(void)
{
    TCase *tc = tcase_create("verdict");
    tcase_add_loop_test(tc, an_answer_has_one_meaning, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tc, without_asking_for_base64_nothing_is_blamed_on_it);
    tcase_add_test(tc, a_quoted_key_is_hidden);
    tcase_add_test(tc, a_broken_answer_is_not_repeated);
    Suite *suite = suite_create("embed_verdict");
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
