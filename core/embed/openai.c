/*
 * openai.c - POST URL/v1/embeddings, as OpenAI, vLLM, llama.cpp, LocalAI, Ollama and TEI understand it.
 *
 * The address is URL itself if it ends in /embeddings; URL/embeddings if it ends in /v1, /v2 or another such
 * version; else URL/v1/embeddings. Vectors are asked for in base64, which is a third of the size, and read in
 * whichever form they come.
 */
#include <ctype.h>
#include <string.h>

#include "embed/answer.h"

/* ".../v1", ".../v4" */
static bool ends_in_version(const char *url)
{
    const char *slash = strrchr(url, '/');
    if (!slash || slash[1] != 'v' || !isdigit((unsigned char)slash[2])) return false;
    for (const char *c = slash + 2; *c; c++)
        if (!isalnum((unsigned char)*c)) return false;
    return true;
}

static void openai_url(const struct embed_config *config, struct buf *out)
{
    static const char end[] = "/embeddings";
    size_t bytes = strlen(config->url), tail = sizeof end - 1;
    buf_puts(out, config->url);
    if (bytes >= tail && strcmp(config->url + bytes - tail, end) == 0) return;
    buf_puts(out, ends_in_version(config->url) ? end : "/v1/embeddings");
}

static void openai_body(const struct ask *ask, struct buf *out)
{
    buf_puts(out, "{\"model\":");
    body_string(out, ask->model, strlen(ask->model));
    buf_puts(out, ",\"input\":");
    body_texts(out, ask);
    if (ask->config->dimensions) buf_printf(out, ",\"dimensions\":%zu", ask->config->dimensions);
    if (ask->base64) buf_puts(out, ",\"encoding_format\":\"base64\"");
    buf_putc(out, '}');
}

static enum lks_code openai_read(const char *reply, size_t bytes, struct answer *out, struct lks_err *err)
{
    json_t *root = answer_parse(reply, bytes, err);
    if (!root) return LKS_E_EMBEDDING_UNAVAILABLE;
    enum lks_code code = LKS_E_OK;
    const json_t *data = json_object_get(root, "data");
    if (!json_is_array(data))
        code = lks_fail(err, LKS_E_EMBEDDING_UNAVAILABLE,
                        "the embedding server's answer has no `data`: check `url` of the embedding");
    for (size_t i = 0; code == LKS_E_OK && i < json_array_size(data); i++) {
        const json_t *item = json_array_get(data, i), *index = json_object_get(item, "index");
        /* the order is the server's own; some leave the index out when it is the order of the input */
        json_int_t place = json_is_integer(index) ? json_integer_value(index) : (json_int_t)i;
        if (!answer_place(out, place < 0 ? out->count : (size_t)place, json_object_get(item, "embedding"),
                          err))
            code = LKS_E_EMBEDDING_UNAVAILABLE;
    }
    if (code == LKS_E_OK) code = answer_complete(out, json_array_size(data), err);
    const json_t *usage = json_object_get(root, "usage");
    out->tokens = json_integer_value(json_object_get(usage, "prompt_tokens"));
    if (!out->tokens) out->tokens = json_integer_value(json_object_get(usage, "total_tokens"));
    json_decref(root);
    return code;
}

const struct provider provider_openai = {
    .name = "openai",
    .batch_size = 128,          /* OpenAI takes 2048, a server on a small machine far fewer at a time */
    .max_batch_tokens = 200000, /* OpenAI: 300,000, and ours are estimates */
    .url = openai_url,
    .body = openai_body,
    .read = openai_read,
};
