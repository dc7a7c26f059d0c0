/*
 * openai.c - POST URL/v1/embeddings, as OpenAI, vLLM, llama.cpp, LocalAI, Ollama and TEI understand it.
 *
 * The address is URL itself if its path ends in /embeddings; URL/embeddings if it ends in a version (/v1,
 * /v1beta/openai) or in a deployment's name (/openai/deployments/NAME); else URL/v1/embeddings. A query stays
 * at the end. Vectors are asked for in base64, which is a third of the size, and read in
 * whichever form they come.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "embed/address.h"
#include "embed/answer.h"

/* The last segment of the path is "v1", "v4", "v1beta": the version of an API. */
static bool ends_in_version(const struct address *a)
{
    size_t at = a->path_bytes;
    while (at > 0 && a->path[at - 1] != '/') at--;
    if (at == 0 || a->path_bytes - at < 2 || a->path[at] != 'v' || !isdigit((unsigned char)a->path[at + 1]))
        return false;
    for (size_t i = at + 1; i < a->path_bytes; i++)
        if (!isalnum((unsigned char)a->path[i])) return false;
    return true;
}

/* ".../openai/deployments/NAME", as Azure has it. */
static bool ends_in_deployment(const struct address *a)
{
    struct address parent = *a;
    while (parent.path_bytes > 0 && parent.path[parent.path_bytes - 1] != '/') parent.path_bytes--;
    if (parent.path_bytes > 0) parent.path_bytes--;
    return address_ends(&parent, "/openai/deployments");
}

static void openai_url(const struct embed_config *config, struct buf *out)
{
    struct address a;
    address_read(&a, config->url);
    struct address parent = a;
    bool flavour = address_cut(&parent, "/openai") && ends_in_version(&parent); /* ".../v1beta/openai" */
    if (address_ends(&a, "/embeddings"))
        address_write(&a, "", out);
    else if (flavour || ends_in_version(&a) || ends_in_deployment(&a))
        address_write(&a, "/embeddings", out);
    else
        address_write(&a, "/v1/embeddings", out);
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

static const json_t *index_of(const json_t *data, size_t i)
{
    const json_t *index = json_object_get(json_array_get(data, i), "index");
    return json_is_null(index) ? NULL : index;
}

/* What is wrong with an index, for a person; false. A string is not shown: it may repeat what was sent. */
static bool bad_index(struct lks_err *err, size_t item, const json_t *index, const char *wrong)
{
    char shown[64] = "something else";
    if (!index)
        (void)snprintf(shown, sizeof shown, "missing");
    else if (json_is_integer(index))
        (void)snprintf(shown, sizeof shown, "%lld", (long long)json_integer_value(index));
    else if (json_is_real(index))
        (void)snprintf(shown, sizeof shown, "written %.17g, with a fraction", json_real_value(index));
    else if (json_is_string(index))
        (void)snprintf(shown, sizeof shown, "a string");
    (void)lks_fail(err, LKS_E_EMBEDDING_UNAVAILABLE,
                   "the embedding server's answer does not say which vector belongs to which text: the index "
                   "of data[%zu] is %s%s",
                   item, shown, wrong);
    return false;
}

/*
 * Where a vector belongs. The order is the server's own, and `index` says it; only a reply in which no item
 * has one is in the order of the input. Anything else would be a guess, and could give a document the vector
 * of another.
 */
static bool place_of(const json_t *data, size_t i, const struct answer *a, size_t *place, struct lks_err *err)
{
    const json_t *index = index_of(data, i), *first = index_of(data, 0);
    *place = i;
    if (!index && !first) return true;
    if (!index || !first) return bad_index(err, i, index, ", but not that of others");
    if (!json_is_integer(index)) return bad_index(err, i, index, "");
    json_int_t reported = json_integer_value(index);
    if (reported < 0 || (unsigned long long)reported >= a->count)
        return bad_index(err, i, index, ", which no text has");
    *place = (size_t)reported;
    return !a->taken[*place] || bad_index(err, i, index, ", as that of another");
}

static enum lks_code openai_read(const char *reply, size_t bytes, struct answer *out, struct lks_err *err)
{
    json_t *root = answer_parse(reply, bytes, err);
    if (!root) return LKS_E_EMBEDDING_UNAVAILABLE;
    const json_t *data = json_object_get(root, "data");
    enum lks_code code = LKS_E_OK;
    if (!json_is_array(data))
        code = lks_fail(err, LKS_E_EMBEDDING_UNAVAILABLE,
                        "the embedding server's answer has no `data`: check `url` of the embedding");
    else
        code = answer_complete(out, json_array_size(data), err);
    for (size_t i = 0; code == LKS_E_OK && i < json_array_size(data); i++) {
        size_t place;
        if (!place_of(data, i, out, &place, err) ||
            !answer_place(out, place, json_object_get(json_array_get(data, i), "embedding"), err))
            code = LKS_E_EMBEDDING_UNAVAILABLE;
    }
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
