/* local.c - the built-in embedders: computed in place, never failing but for memory. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "embed/embedder.h"
#include "embed/hash_vector.h"

float *local_vector(const struct embedder *e, const char *prefix, const char *text, size_t bytes)
{
    float *vector = malloc(e->dimensions * sizeof *vector);
    struct buf whole;
    buf_init(&whole, 0);
    if (*prefix) {
        buf_puts(&whole, prefix);
        buf_put(&whole, text, bytes);
        text = whole.data;
        bytes = whole.bytes;
    }
    if (whole.failed) {
        free(vector);
        vector = NULL;
    }
    if (vector && e->words)
        words_embed(e->words, text, bytes, vector);
    else if (vector)
        hash_embed(text, bytes, vector, e->dimensions);
    buf_fini(&whole);
    return vector;
}

void local_embed(struct embedder *e, struct req *req)
{
    if (req->kind == REQ_EMBED_PROBE) {
        req->embed_probe.dimensions = e->dimensions;
        embedder_post(e, req);
        return;
    }
    struct lks_err no_memory;
    lks_err_clear(&no_memory);
    (void)lks_fail(&no_memory, LKS_E_UNKNOWN, "out of memory");
    if (embedder_prepare(req)) {
        int64_t began_us = clock_us();
        size_t bytes = 0;
        req->embed.dimensions = e->dimensions;
        for (size_t i = 0; i < req->embed.count; i++) {
            req->embed.vectors[i] =
                local_vector(e, e->config.document_prefix, req->embed.texts[i], req->embed.text_bytes[i]);
            if (!req->embed.vectors[i]) embedder_fail_text(e, req, i, &no_memory);
            bytes += req->embed.text_bytes[i];
        }
        atomic_fetch_add(&e->texts, req->embed.count);
        atomic_fetch_add(&e->text_bytes, bytes);
        atomic_fetch_add(&e->requests, 1);
        meter_add(&e->meter, LKS_E_OK, clock_us() - began_us);
    }
    embedder_post(e, req);
}
