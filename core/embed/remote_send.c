/* remote_send.c - makes batches of the texts that wait, and sends what the window allows. */
#include <string.h>

#include "embed/remote.h"
#include "embed/remote_internal.h"

static void push_away(struct remote *r, struct embed_batch *b)
{
    b->away_next = r->away;
    r->away = b;
    r->flying++;
}

/* Tokens of a text, guessed high: English has about 4 bytes to a token, other languages less. */
static size_t tokens_of(const struct embedder *e, const struct item *item)
{
    return (item->job->req->embed.text_bytes[item->index] + strlen(e->config.document_prefix)) / 3 + 2;
}

static struct embed_batch *batch_from_line(struct embedder *e)
{
    struct remote *r = e->remote;
    size_t most = r->batch_size < r->batch_cap ? r->batch_size : r->batch_cap;
    size_t tokens_max =
        e->config.max_batch_tokens ? e->config.max_batch_tokens : r->provider->max_batch_tokens;
    size_t count = 0, tokens = 0, bytes = 0;
    while (count < most && r->head + count < r->tail) {
        const struct item *item = &r->line[r->head + count];
        size_t length = item->job->req->embed.text_bytes[item->index], company = company_of(r, item);
        tokens += tokens_of(e, item);
        if (count && tokens_max && tokens > tokens_max) break;
        if (count && (count >= company || (r->bytes_max && bytes + length > r->bytes_max))) break;
        if (company < most) most = company;
        bytes += length;
        count++;
    }
    if (!count) return NULL;
    struct embed_batch *b = batch_new(e, BATCH_TEXTS, count);
    if (!b) {
        struct lks_err err;
        remote_out_of_memory(&err);
        remote_fail_line(e, &err);
        return NULL;
    }
    memcpy(b->items, r->line + r->head, count * sizeof *b->items);
    r->head += count;
    atomic_fetch_add(&e->text_bytes, bytes);
    return b;
}

static void send(struct embedder *e, struct embed_batch *b)
{
    struct remote *r = e->remote;
    if (!batch_prepare(b)) {
        struct lks_err err;
        remote_out_of_memory(&err);
        b->next = NULL;
        remote_fail_list(e, &b, &err);
        return;
    }
    b->good = r->good;
    b->hung = b->beside = b->detached = false;
    push_away(r, b);
    batch_send(b);
}

void remote_probe_now(struct embedder *e)
{
    struct remote *r = e->remote;
    struct embed_batch *probe = batch_new(e, BATCH_PROBE, 0);
    if (!probe) return;
    probe->number = ++r->probes;
    r->probe_open = true;
    send(e, probe);
}

void remote_pump(struct embedder *e)
{
    struct remote *r = e->remote;
    bool work = r->ready || r->head < r->tail;
    if (work && !r->info_known && !r->info_away) {
        struct embed_batch *b = batch_new(e, BATCH_INFO, 0);
        r->info_known = !b;
        r->info_away = b != NULL;
        if (b) send(e, b);
    }
    while (!r->info_away && r->flying < (size_t)r->window) {
        struct embed_batch *b = r->ready;
        if (b)
            r->ready = b->next;
        else
            b = batch_from_line(e);
        if (!b) break;
        send(e, b);
    }
}
