/*
 * tei.c - Hugging Face's Text Embeddings Inference: POST URL/embed, answered by a bare array of arrays; GET
 * URL/info says how many texts it takes at a time and which model it is.
 */
#include <stdio.h>
#include <string.h>

#include "embed/address.h"
#include "embed/answer.h"

static void tei_url(const struct embed_config *config, struct buf *out)
{
    struct address a;
    address_read(&a, config->url);
    (void)address_cut(&a, "/embed");
    address_write(&a, "/embed", out);
}

void tei_info_url(const struct embed_config *config, struct buf *out)
{
    struct address a;
    address_read(&a, config->url);
    (void)address_cut(&a, "/embed");
    address_write(&a, "/info", out);
}

static void tei_body(const struct ask *ask, struct buf *out)
{
    buf_puts(out, "{\"inputs\":");
    body_texts(out, ask);
    if (ask->config->dimensions) buf_printf(out, ",\"dimensions\":%zu", ask->config->dimensions);
    /* a text above the model's length is cut instead of refused, as Ollama does */
    buf_puts(out, ",\"truncate\":true,\"normalize\":true}");
}

static enum lks_code tei_read(const char *reply, size_t bytes, struct answer *out, struct lks_err *err)
{
    json_t *root = answer_parse(reply, bytes, err);
    if (!root) return LKS_E_EMBEDDING_UNAVAILABLE;
    enum lks_code code = LKS_E_OK;
    if (!json_is_array(root))
        code = lks_fail(err, LKS_E_EMBEDDING_UNAVAILABLE,
                        "the embedding server's answer is no list of vectors: check `url` of the embedding");
    for (size_t i = 0; code == LKS_E_OK && i < json_array_size(root); i++)
        if (!answer_place(out, i, json_array_get(root, i), err)) code = LKS_E_EMBEDDING_UNAVAILABLE;
    if (code == LKS_E_OK) code = answer_complete(out, json_array_size(root), err);
    json_decref(root);
    return code;
}

void tei_read_info(const char *reply, size_t bytes, size_t *batch, char *model, size_t model_bytes)
{
    *batch = 0;
    *model = '\0';
    json_t *root = reply ? json_loadb(reply, bytes, 0, NULL) : NULL;
    json_int_t most = json_integer_value(json_object_get(root, "max_client_batch_size"));
    if (most > 0 && most <= 100000) *batch = (size_t)most;
    const char *name = json_string_value(json_object_get(root, "model_id"));
    if (name) (void)snprintf(model, model_bytes, "%s", name);
    json_decref(root);
}

const struct provider provider_tei = {
    .name = "tei",
    .batch_size = 32, /* its own default, unless /info says more */
    .url = tei_url,
    .body = tei_body,
    .read = tei_read,
};
