/*
 * remote_hang.c - a text that the server does not answer keeps no other waiting. Pure timing over the
 * requests that are under way; sends nothing but probes and texts once more.
 *
 * A request hangs if the server has answered something that was sent after it, and it has taken five seconds,
 * or four times as long as its number of texts has taken before, since it was sent or the server first
 * answered. Several texts are then sent again, each alone. One that stands alone is waited for until its time
 * is over; but its place goes to others, and the engine's request that it came with is posted without it: the
 * engine asks for it again, which finds it under way.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "embed/remote.h"
#include "embed/remote_internal.h"

#define HANG_MS 5000
#define USUAL_TIMES 4

bool remote_attach(struct embedder *e, const struct item *item)
{
    uint64_t text = company_text(item);
    for (struct embed_batch *b = e->remote->away; b; b = b->away_next) {
        if (!b->detached || b->text != text) continue;
        b->detached = false;
        b->items[0] = *item;
        b->count = 1;
        item->job->hung++;
        return true;
    }
    return false;
}

/* Each of its texts once more, alone; what the server may still answer to all of them is not waited for. */
static void scatter(struct embedder *e, struct embed_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        struct embed_batch *one = batch_new(e, BATCH_TEXTS, 1);
        company_alone(e->remote, &b->items[i]);
        if (one) {
            one->items[0] = b->items[i];
            one->proven = true;
            remote_push(&e->remote->ready, one);
            continue;
        }
        struct lks_err err;
        remote_out_of_memory(&err);
        remote_item_fail(e, &b->items[i], &err);
    }
    b->count = 0;
}

static void hangs(struct embedder *e, struct embed_batch *b)
{
    struct remote *r = e->remote;
    log_info("the embedding server answers others, but not this request; it keeps none waiting any more",
             LOG_STR("address", e->config.url), LOG_INT("texts", b->count),
             LOG_INT("for_ms", (clock_us() - b->sent_us) / 1000));
    b->hung = true;
    if (r->beside < 2 * e->config.concurrency) { /* one with several texts, and the one that is to blame */
        b->beside = true;
        r->beside++;
        r->flying--;
    }
    if (b->count > 1) {
        scatter(e, b);
        return;
    }
    b->items[0].job->hung++;
    remote_release(e, b->items[0].job);
}

static int64_t least_us(const struct embedder *e)
{
    return 1000 * (e->config.hang_ms ? e->config.hang_ms : HANG_MS);
}

/* When this request hangs, if the server answers others by then. */
static int64_t hangs_at(const struct embedder *e, const struct embed_batch *b)
{
    const struct remote *r = e->remote;
    int64_t least = least_us(e);
    int64_t usual = USUAL_TIMES * (int64_t)b->count * r->text_us;
    int64_t from = b->sent_us > r->answered_us ? b->sent_us : r->answered_us;
    return from + (usual > least ? usual : least);
}

void remote_answered(struct remote *r, const struct embed_batch *b)
{
    if (r->loading) r->answered_us = clock_us();
    if (b->sent_us > r->proof_us) r->proof_us = b->sent_us;
    if (!b->count) return;
    int64_t each = b->took_us / (int64_t)b->count;
    r->text_us -= r->text_us / 16;
    if (each > r->text_us) r->text_us = each;
}

int64_t remote_watch(struct embedder *e)
{
    struct remote *r = e->remote;
    int64_t now = clock_us(), next = INT64_MAX;
    bool any = false, wants_proof = false;
    for (struct embed_batch *b = r->away; b; b = b->away_next) {
        if (b->kind != BATCH_TEXTS || !b->count || b->hung) continue;
        int64_t at = hangs_at(e, b);
        if (now < at) {
            if (at < next) next = at;
        } else if (r->proof_us > b->sent_us) {
            hangs(e, b);
            any = true;
        } else {
            wants_proof = true;
        }
    }
    if (any) remote_pump(e);
    if (!wants_proof || r->probe_open) return next; /* its answer comes back here */
    int64_t again = r->probed_us + least_us(e);     /* one that is refused says nothing for a while */
    if (now < again) return again < next ? again : next;
    r->probed_us = now;
    remote_probe_now(e);
    return next;
}
