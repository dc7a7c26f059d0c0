/* embedder.c - what all providers share: outcomes of a request, and the end of an embedder. */
#include <stdlib.h>
#include <string.h>

#include "embed/embedder.h"
#include "embed/remote_internal.h"

void embedder_post(struct embedder *e, struct req *req)
{
    e->inbox.post(e->inbox.self, req);
}

bool embedder_prepare(struct req *req)
{
    size_t count = req->embed.count ? req->embed.count : 1;
    req->embed.dimensions = 0;
    req->embed.tokens = 0;
    req->embed.cached = 0;
    req->embed.vectors = calloc(count, sizeof *req->embed.vectors);
    req->embed.errors = calloc(count, sizeof *req->embed.errors);
    if (req->embed.vectors && req->embed.errors) return true;
    (void)lks_fail(&req->err, LKS_E_UNKNOWN, "out of memory");
    return false;
}

void embedder_fail_text(struct embedder *e, struct req *req, size_t index, const struct lks_err *err)
{
    atomic_fetch_add(&e->failed, 1);
    struct lks_err *copy = malloc(sizeof *copy);
    if (copy) {
        *copy = *err;
        req->embed.errors[index] = copy;
    } else { /* without room to say it for one, it is said for all */
        req->err = *err;
    }
}

static void config_free(struct embed_config *c)
{
    const char *const texts[] = {c->url,          c->model, c->query_model, c->document_prefix,
                                 c->query_prefix, c->path,  c->api_key_file};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) free((void *)(uintptr_t)texts[i]);
    if (c->api_key) explicit_bzero((void *)(uintptr_t)c->api_key, strlen(c->api_key));
    free((void *)(uintptr_t)c->api_key);
}

static void remote_free(struct remote *r)
{
    if (!r) return;
    free(r->line);
    free(r->plain);
    free(r);
}

void embedder_free(struct embedder *e)
{
    if (!e) return;
    remote_free(e->remote);
    words_close(e->words);
    secret_free(e->key);
    config_free(&e->config);
    free(e->fingerprint);
    pthread_cond_destroy(&e->filled);
    pthread_mutex_destroy(&e->lock);
    free(e);
}
