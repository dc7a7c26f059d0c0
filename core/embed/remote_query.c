/* remote_query.c - one text, a search's or one like a document's, embedded while the caller waits. Any
 * thread; shares nothing that changes but a flag. */
#include <stdlib.h>
#include <string.h>

#include "embed/embed_verdict.h"
#include "embed/remote.h"
#include "embed/remote_internal.h"

#define QUERY_TIMEOUT_MS 20000

static enum lks_code read_one(struct embedder *e, const struct http_call *call, float **vector,
                              size_t *dimensions, struct lks_err *err)
{
    struct answer answer;
    if (!answer_init(&answer, 1)) return lks_fail(err, LKS_E_NOMEM, "out of memory");
    enum lks_code code = e->remote->provider->read(call->reply.data, call->reply.bytes, &answer, err);
    if (code == LKS_E_OK && !answer.vectors[0]) {
        remote_flawed(&answer, err);
        code = LKS_E_EMBEDDING_REJECTED;
    }
    if (code == LKS_E_OK && !remote_right_dimensions(e, answer.dimensions, err))
        code = LKS_E_EMBEDDING_UNAVAILABLE;
    if (code != LKS_E_OK && err) verdict_name_address(err, call);
    if (code == LKS_E_OK) {
        *vector = answer.vectors[0];
        *dimensions = answer.dimensions;
        answer.vectors[0] = NULL;
    }
    answer_fini(&answer);
    return code;
}

enum lks_code remote_query(struct embedder *e, const char *text, bool document, float **vector,
                           size_t *dimensions, struct lks_err *err)
{
    const struct remote *r = e->remote;
    size_t bytes = strlen(text);
    const char *model = *e->config.query_model && !document ? e->config.query_model : e->config.model;
    struct verdict v = {.kind = VERDICT_SERVER};
    struct buf url, body;
    buf_init(&url, 0);
    buf_init(&body, 0);
    r->provider->url(&e->config, &url);
    char *key = secret_take(e->key);
    struct buf authorization;
    buf_init(&authorization, 0);
    if (key && *key) buf_printf(&authorization, "Bearer %s", key);
    const struct http_header headers[] = {{"Content-Type", "application/json"},
                                          {"Accept", "application/json"},
                                          {"Authorization", authorization.data}};
    struct http_call call = {.method = "POST",
                             .headers = headers,
                             .header_count = authorization.bytes ? 3 : 2,
                             .timeout_ms = QUERY_TIMEOUT_MS,
                             .connect_timeout_ms = QUERY_TIMEOUT_MS / 4};
    /* it was found to work with the model for documents */
    bool base64 = e->config.provider == EMBED_OPENAI && model == e->config.model && atomic_load(&e->base64);
    enum lks_code code = LKS_E_OK;
    for (int attempt = 0; attempt < 2; attempt++) {
        struct ask ask = {.config = &e->config,
                          .model = model,
                          .prefix = document ? e->config.document_prefix : e->config.query_prefix,
                          .texts = &text,
                          .text_bytes = &bytes,
                          .count = 1,
                          .base64 = base64};
        buf_clear(&body);
        r->provider->body(&ask, &body);
        if (!key || authorization.failed || url.failed || body.failed) {
            code = lks_fail(err, LKS_E_NOMEM, "out of memory");
            break;
        }
        call.url = url.data;
        call.body = body.data;
        call.body_bytes = body.bytes;
        (void)http_perform(e->http, &call);
        verdict_of_call(&e->config, key, &call, ask.base64, &v);
        if (v.key) secret_refused(e->key);
        code = v.err.code;
        if (v.kind != VERDICT_PLAIN) break;
        base64 = false;
        http_call_fini(&call);
    }
    if (code != LKS_E_OK && code != LKS_E_NOMEM && err) *err = v.err;
    if (code == LKS_E_OK) code = read_one(e, &call, vector, dimensions, err);
    http_call_fini(&call);
    buf_fini(&url);
    buf_fini(&body);
    if (authorization.data) explicit_bzero(authorization.data, authorization.bytes);
    buf_fini(&authorization);
    secret_end(key);
    return code;
}
