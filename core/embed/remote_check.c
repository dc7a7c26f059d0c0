/*
 * remote_check.c - before vectors are asked for in base64, which is a third of the size, one word is embedded
 * in both forms and compared: some servers know the option and send other widths, other byte orders or other
 * lengths, which would be stored as other vectors. What comes out holds until the circuit opens, as the
 * server may be another one then. Texts that are sent meanwhile are asked for as numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "embed/encoding.h"
#include "embed/remote_internal.h"

void remote_check_begin(struct embedder *e, const float *vector, size_t dimensions)
{
    struct remote *r = e->remote;
    if (e->config.provider != EMBED_OPENAI || e->config.encoding != EMBED_ENCODING_AUTO || r->checking)
        return;
    struct embed_batch *b = batch_new(e, BATCH_CHECK, 0);
    float *copy = b ? malloc(dimensions * sizeof *copy) : NULL;
    if (!copy) { /* numbers it is */
        batch_free(b);
        return;
    }
    memcpy(copy, vector, dimensions * sizeof *copy);
    free(r->plain);
    r->plain = copy;
    r->plain_count = dimensions;
    r->checking = true;
    remote_push(&r->ready, b);
}

static void use_numbers(const struct embed_batch *b, const char *reason)
{
    char url[256];
    http_url_plain(b->url.data, url, sizeof url);
    log_info("vectors are asked for as numbers, not in base64", LOG_STR("url", url),
             LOG_STR("reason", reason));
}

void remote_check_end(struct embedder *e, struct embed_batch *b, const struct verdict *v)
{
    struct remote *r = e->remote;
    struct answer answer;
    struct lks_err err;
    r->checking = false;
    lks_err_clear(&err);
    if (v->kind != VERDICT_OK) {
        use_numbers(b, v->err.text);
    } else if (answer_init(&answer, 1)) {
        enum lks_code code = r->provider->read(b->call.reply.data, b->call.reply.bytes, &answer, &err);
        const char *reason = code != LKS_E_OK     ? err.text
                             : !answer.vectors[0] ? answer.flaw
                                                  : encoding_differs(r->plain, r->plain_count,
                                                                     answer.vectors[0], answer.dimensions);
        if (reason) use_numbers(b, reason);
        atomic_store(&e->base64, !reason);
        answer_fini(&answer);
    }
    batch_free(b);
}
