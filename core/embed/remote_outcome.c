/*
 * remote_outcome.c - how texts, probes and whole lists come to their end. Each text has exactly one outcome;
 * with the last one of a request that request is posted.
 */
#include <stdlib.h>
#include <string.h>

#include "embed/remote_internal.h"

void remote_release(struct embedder *e, struct embed_job *job)
{
    if (!job->hung || job->open != job->hung || job->open == job->req->embed.count) return;
    for (struct embed_batch *b = e->remote->away; b; b = b->away_next) {
        if (!b->hung || b->count != 1 || b->items[0].job != job) continue;
        b->text = company_text(&b->items[0]);
        b->detached = true;
        b->count = 0;
    }
    embedder_post(e, job->req);
    free(job);
}

void remote_job_less(struct embedder *e, struct embed_job *job)
{
    if (--job->open) {
        remote_release(e, job);
        return;
    }
    embedder_post(e, job->req);
    free(job);
}

void remote_item_over(struct embedder *e, struct embed_job *job)
{
    atomic_fetch_add(&e->texts, 1);
    remote_job_less(e, job);
}

void remote_item_fail(struct embedder *e, const struct item *item, const struct lks_err *err)
{
    embedder_fail_text(e, item->job->req, item->index, err);
    remote_item_over(e, item->job);
}

void remote_fail_items(struct embedder *e, struct embed_batch *b, const struct lks_err *err)
{
    for (size_t i = 0; i < b->count; i++) remote_item_fail(e, &b->items[i], err);
    b->count = 0;
}

void remote_fail_probe(struct embedder *e, struct embed_batch *b, const struct lks_err *err)
{
    if (b->kind != BATCH_PROBE) return;
    if (b->probe) {
        b->probe->err = *err;
        embedder_post(e, b->probe);
        b->probe = NULL;
    } else {
        e->remote->probe_open = false;
        remote_fail_list(e, &e->remote->suspects, err); /* which waited for it */
    }
}

void remote_fail_line(struct embedder *e, const struct lks_err *err)
{
    struct remote *r = e->remote;
    while (r->head < r->tail) remote_item_fail(e, &r->line[r->head++], err);
}

void remote_fail_list(struct embedder *e, struct embed_batch **list, const struct lks_err *err)
{
    for (struct embed_batch *b; (b = *list) != NULL;) {
        *list = b->next;
        remote_fail_items(e, b, err);
        remote_fail_probe(e, b, err);
        if (b->kind == BATCH_INFO) e->remote->info_away = false;
        if (b->kind == BATCH_CHECK) e->remote->checking = false;
        batch_free(b);
    }
}

void remote_out_of_memory(struct lks_err *err)
{
    lks_err_clear(err);
    (void)lks_fail(err, LKS_E_UNKNOWN, "out of memory");
}

void remote_push(struct embed_batch **list, struct embed_batch *b)
{
    b->next = *list;
    *list = b;
}

void remote_flawed(const struct answer *answer, struct lks_err *err)
{
    (void)lks_fail(err, LKS_E_EMBEDDING_REJECTED,
                   "the embedding server answers this text with a vector that is none: %s", answer->flaw);
}

bool remote_right_dimensions(const struct embedder *e, size_t dimensions, struct lks_err *err)
{
    size_t want = e->config.dimensions;
    if (!want || want == dimensions) return true;
    (void)lks_fail(
        err, LKS_E_EMBEDDING_UNAVAILABLE,
        "the model gives %zu dimensions, the configuration asks for %zu: check `dimensions` of the embedding",
        dimensions, want);
    return false;
}
