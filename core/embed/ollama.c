/* ollama.c - POST URL/api/embed. It cuts texts that are too long by itself, and embeds "" as nothing at all.
 */
#include <string.h>

#include "embed/address.h"
#include "embed/answer.h"

/* The URL may be the server's, that of its API (/api), of this call, or of its OpenAI-like API (/v1). */
static void ollama_url(const struct embed_config *config, struct buf *out)
{
    static const char *const known[] = {"/api/embed", "/api/embeddings", "/api", "/v1"};
    struct address a;
    address_read(&a, config->url);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (address_cut(&a, known[i])) break;
    address_write(&a, "/api/embed", out);
}

static void ollama_body(const struct ask *ask, struct buf *out)
{
    buf_puts(out, "{\"model\":");
    body_string(out, ask->model, strlen(ask->model));
    buf_puts(out, ",\"input\":");
    body_texts(out, ask);
    if (ask->config->dimensions) buf_printf(out, ",\"dimensions\":%zu", ask->config->dimensions);
    buf_puts(out, ",\"truncate\":true}");
}

static enum lks_code ollama_read(const char *reply, size_t bytes, struct answer *out, struct lks_err *err)
{
    json_t *root = answer_parse(reply, bytes, err);
    if (!root) return LKS_E_EMBEDDING_UNAVAILABLE;
    enum lks_code code = LKS_E_OK;
    const json_t *rows = json_object_get(root, "embeddings");
    if (!json_is_array(rows))
        code = lks_fail(err, LKS_E_EMBEDDING_UNAVAILABLE,
                        "the embedding server's answer has no `embeddings`: check `url` of the embedding");
    for (size_t i = 0; code == LKS_E_OK && i < json_array_size(rows); i++)
        if (!answer_place(out, i, json_array_get(rows, i), err)) code = LKS_E_EMBEDDING_UNAVAILABLE;
    if (code == LKS_E_OK) code = answer_complete(out, json_array_size(rows), err);
    out->tokens = json_integer_value(json_object_get(root, "prompt_eval_count"));
    json_decref(root);
    return code;
}

const struct provider provider_ollama = {
    .name = "ollama",
    .batch_size = 32,
    .url = ollama_url,
    .body = ollama_body,
    .read = ollama_read,
};
