/*
 * fuzz_embed_reply.c - any bytes as an embedding server's reply: vectors that are whole and finite, or an
 * error in words that can be shown.
 *
 * The first byte is the status, the second says which kind of server and
 * how many texts, the rest is the body.
 */
#include <bson/bson.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "embed/embed_verdict.h"
#include "embed/provider.h"
#include "fuzz/driver.h"

#define SECRET "sesame-open"

const char fuzz_name[] = "fuzz_embed_reply";
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\0\0{\"data\":[{\"index\":0,\"embedding\":[1,2.5e-3]}],\"model\":\"m\",\"usage\":{\"prompt_"
              "tokens\":3}}"),
    FUZZ_SEED("\0\0{\"data\":[{\"index\":0,\"embedding\":\"AACAPwAAAEA=\"}]}"),
    FUZZ_SEED("\0\4{\"embeddings\":[[1,2],[3,4]],\"prompt_eval_count\":3}"),
    FUZZ_SEED("\0\2[[1.5,2e3]]"),
    FUZZ_SEED("\0\2{\"model_id\":\"m\",\"max_client_batch_size\":32}"),
    FUZZ_SEED(
        "\3\0{\"error\":{\"message\":\"sesame-open\",\"type\":\"invalid_request_error\",\"code\":null}}"),
    FUZZ_SEED("\x9\2{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}"),
    {NULL, 0},
};

static void check_message(const struct lks_err *err)
{
    if (!memchr(err->text, 0, sizeof err->text)) abort();
    if (strstr(err->text, SECRET)) abort();
    if (!bson_utf8_validate(err->text, strlen(err->text), false)) abort();
}

static void check_answer(const struct answer *answer)
{
    for (size_t i = 0; i < answer->count; i++)
        for (size_t k = 0; answer->vectors[i] && k < answer->dimensions; k++)
            if (!isfinite(answer->vectors[i][k])) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const long statuses[] = {200, 200, 200, 400, 401, 404, 413, 422, 424, 429, 500, 503};
    static const enum embed_provider kinds[] = {EMBED_OPENAI, EMBED_OLLAMA, EMBED_TEI};
    if (bytes < 2) return 0;
    struct embed_config config = {.provider = kinds[data[1] % 3],
                                  .url = "http://127.0.0.1:1",
                                  .model = "m",
                                  .query_model = "",
                                  .document_prefix = "",
                                  .query_prefix = "",
                                  .api_key = SECRET};
    struct http_call call = {.method = "POST", .url = "http://127.0.0.1:1/v1/embeddings", .sent = true};
    struct verdict v = {.kind = VERDICT_OK};
    call.status = statuses[data[0] % (sizeof statuses / sizeof *statuses)];
    buf_init(&call.reply, 0);
    buf_put(&call.reply, data + 2, bytes - 2);
    verdict_of_call(&config, config.api_key, &call, data[0] & 0x80, &v);
    if (v.kind == VERDICT_OK) {
        struct answer answer;
        struct lks_err err = {.code = LKS_E_OK};
        if (!answer_init(&answer, 1 + data[1] / 3 % 4)) return 0;
        if (provider_of(config.provider)->read(call.reply.data, call.reply.bytes, &answer, &err) == LKS_E_OK)
            check_answer(&answer);
        else
            check_message(&err);
        answer_fini(&answer);
    } else {
        check_message(&v.err);
    }
    size_t batch;
    char model[40];
    tei_read_info(call.reply.data, call.reply.bytes, &batch, model, sizeof model);
    if (!memchr(model, 0, sizeof model)) abort();
    buf_fini(&call.reply);
    return 0;
}
