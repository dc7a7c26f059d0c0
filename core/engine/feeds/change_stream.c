/*
 * change_stream.c - follows the change stream: which documents its events name, how far its token may be
 * saved, and what happens when it breaks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/feeds/feeds.h"

#define SILENCE_MS 2500 /* longer than that it does not take if all is well */
#define MAX_EVENTS 1000
#define REOPEN_MIN_MS 100
#define REOPEN_MAX_MS 10000

void stream_position_free(void *position)
{
    struct stream_position *p = position;
    if (!p) return;
    if (p->token) bson_destroy(p->token);
    free(p);
}

static struct stream_position *position_new(const bson_t *token, cluster_time at)
{
    struct stream_position *p = malloc(sizeof *p);
    if (!p) return NULL;
    *p = (struct stream_position){.token = bson_copy(token), .at = at};
    return p;
}

static void received(struct engine *e, const bson_t *token, cluster_time at)
{
    if (e->feeds->stream.received.token) bson_destroy(e->feeds->stream.received.token);
    e->feeds->stream.received = (struct stream_position){.token = token ? bson_copy(token) : NULL, .at = at};
}

/* ---- out ---- */

static bool streams(const struct engine *e)
{
    return (e->config->watch == WATCH_AUTO || e->config->watch == WATCH_STREAM) &&
           !e->feeds->stream.unsupported;
}

void stream_run(struct engine *e)
{
    if (e->phase != PHASE_RUN || e->feeds->stream.requested || !streams(e)) return;
    if (!e->feeds->stream.open) {
        if (now_ms(e) >= e->feeds->stream.open_at_ms) ask(e, ASK_STREAM_OPEN);
    } else if (e->docs_in_work < e->config->max_docs) {
        size_t space = e->config->max_docs - e->docs_in_work;
        e->feeds->stream.max_events = space < MAX_EVENTS ? space : MAX_EVENTS;
        ask(e, ASK_STREAM_NEXT);
    }
}

/* ---- back ---- */

static void note_error(struct engine *e, const struct lks_err *err)
{
    snprintf(e->feeds->stream.error, sizeof e->feeds->stream.error, "%.250s", err->text);
}

static void broke(struct engine *e, const struct lks_err *err)
{
    int64_t wait = REOPEN_MIN_MS;
    for (int i = 0; i < e->feeds->stream.failures && wait < REOPEN_MAX_MS; i++) wait *= 2;
    if (e->feeds->stream.open || e->feeds->stream.broke_wall_ms == NO_TIME)
        e->feeds->stream.broke_wall_ms = wall_ms(e);
    e->feeds->stream.open = false;
    note_error(e, err);
    if (err->code == LKS_E_CANCELLED) return;
    LOG_WITH(e->feeds->stream.failures++ ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
             "change stream broke; opening it again", LOG_STR("source", e->config->source),
             LOG_STR("error", err->text));
    e->feeds->stream.open_at_ms = now_ms(e) + (wait > REOPEN_MAX_MS ? REOPEN_MAX_MS : wait);
}

/* The history since the saved token is gone: follow from now on, and compare everything. */
static void lost(struct engine *e, const struct lks_err *err)
{
    log_warn("changes since the resume token are lost; everything is compared",
             LOG_STR("source", e->config->source), LOG_STR("error", err->text));
    received(e, NULL, 0);
    e->feeds->stream.open = false;
    e->feeds->stream.open_at_ms = now_ms(e);
    scan_start(e, true);
}

/* Drop, rename or dropDatabase: follow what comes after, and find out what is left. */
static void ended(struct engine *e, const struct lks_err *err)
{
    log_warn("the collection was dropped or renamed; following what comes after, and comparing everything",
             LOG_STR("source", e->config->source), LOG_STR("error", err->text));
    e->feeds->stream.open = false;
    e->feeds->stream.open_at_ms = now_ms(e) + REOPEN_MIN_MS;
    scan_start(e, true);
    e->feeds->sweep.drop_reported = true;
}

static void cannot_stream(struct engine *e, const struct lks_err *err)
{
    note_error(e, err);
    if (e->config->watch == WATCH_STREAM) {
        broke(e, err);
        e->feeds->stream.open_at_ms = now_ms(e) + REOPEN_MAX_MS;
        return;
    }
    e->feeds->stream.unsupported = true;
    e->feeds->scan.wanted = true;
    log_warn("the server has no change streams; comparing everything at intervals instead",
             LOG_STR("source", e->config->source), LOG_INT("poll_interval_ms", e->config->poll_interval_ms),
             LOG_STR("error", err->text));
}

void stream_failed(struct engine *e, const struct lks_err *err)
{
    switch (err->code) {
    case LKS_E_STREAM_LOST:
        lost(e, err);
        break;
    case LKS_E_STREAM_ENDED:
        ended(e, err);
        break;
    case LKS_E_UNSUPPORTED:
        if (!e->feeds->stream.open) {
            cannot_stream(e, err);
            break;
        }
        /* fall through */
    default:
        broke(e, err);
        break;
    }
}

void stream_opened(struct engine *e, cluster_time opened_at, cluster_time now, bool proven)
{
    if (e->feeds->stream.failures || !e->feeds->stream.ever_opened)
        log_info("following the change stream", LOG_STR("source", e->config->source),
                 LOG_STR("from", e->feeds->stream.received.token ? "the saved token" : "now"));
    /* Events from before this lease was taken are replays: metadata proves nothing for them. */
    if (!e->feeds->stream.ever_opened && !e->facts.clean_start) e->feeds->stream.verify_until = now;
    /* Without a token it begins here, also when it breaks before it brings one; and the scan beside it has to
       be as new, or what changed just before would be seen by neither. */
    if (!e->feeds->stream.received.token && !e->feeds->stream.received.at)
        e->feeds->stream.received.at = opened_at;
    e->feeds->stream.open = e->feeds->stream.ever_opened = true;
    if (e->feeds->stream.heard_ms == NO_TIME) e->feeds->stream.heard_ms = now_ms(e);
    e->feeds->stream.proven = proven;
    e->feeds->stream.failures = 0;
    e->feeds->stream.error[0] = '\0';
}

static bool touches(struct engine *e, const struct change *change)
{
    if (change->op != CHANGE_UPDATE || !change->keys || change->record_too) return true;
    for (char **key = change->keys; *key; key++)
        if (e->config->touches(e->config->touches_self, *key)) return true;
    return false;
}

/* An earlier event of the document holds the stream already, and it is read after this one anyway. */
static bool held_before(const struct engine *e, const struct document *doc)
{
    if (!doc || !doc->is_dirty) return false;
    for (const struct hold *h = doc->dirty.holds; h; h = h->next)
        if (h->entry->of == &e->feeds->stream.watermark) return true;
    return false;
}

static bool take_change(struct engine *e, const struct change *change)
{
    struct stream_position *position = position_new(change->token, change->at);
    if (!position) return false;
    e->feeds->stream.events++;
    int64_t happened = change->wall_ms ? change->wall_ms : (int64_t)(change->at >> 32) * 1000;
    e->feeds->stream.lag_ms = wall_ms(e) > happened ? wall_ms(e) - happened : 0;
    bool resynced = touches(e, change);
    if (!resynced && !change->keys[0]) {
        watermark_advance(&e->feeds->stream.watermark, position);
        return true;
    }
    /* A document that is there again after its delete may have another id by now, and a record that a scan
     * page wrote without a look at what the one before had. One that is inserted with a record was restored,
     * and that says what its points were when it was saved; so may one that an application writes to in the
     * same update as to other fields. */
    bool begun_anew = change->op != CHANGE_UPDATE || change->record_too;
    struct dirty_reason reason = {.after = change->at,
                                  .happened_ms = resynced ? happened : 0,
                                  .verify_points =
                                      begun_anew || (resynced && change->at <= e->feeds->stream.verify_until),
                                  .names_only = !resynced};
    if (change->keys)
        for (char **key = change->keys; *key; key++) dirty_reason_add_key(&reason, *key);
    if (held_before(e, document_table_find(e, change->id))) {
        watermark_advance(&e->feeds->stream.watermark, position);
        if (document_make_dirty(e, change->id, &reason)) return true;
        dirty_reason_fini(&reason);
        return false;
    }
    return document_make_dirty_holding(e, change->id, &reason, &e->feeds->stream.watermark, position);
}

bool stream_change(struct engine *e, const struct change *change)
{
    if (!take_change(e, change)) return false;
    received(e, change->token, change->at);
    return true;
}

void stream_answered(struct engine *e, bool quiet, bool proven)
{
    e->feeds->stream.heard_ms = now_ms(e);
    e->feeds->stream.proven = proven;
    e->feeds->stream.quiet = quiet;
    if (quiet || e->feeds->stream.received.at > e->feeds->stream.verify_until)
        e->feeds->stream.replayed = true;
}

void stream_token(struct engine *e, const bson_t *token, cluster_time at)
{
    struct stream_position *position = position_new(token, at);
    received(e, token, at);
    if (position) watermark_advance(&e->feeds->stream.watermark, position);
}

/* After an answer without events nothing is missing that was there by then; after another one, what follows
 * may be as old as its last event was. */
int64_t stream_lag_ms(const struct engine *e)
{
    int64_t lag = e->feeds->stream.lag_ms;
    if (e->feeds->stream.heard_ms == NO_TIME || e->phase != PHASE_RUN || !streams(e)) return lag;
    int64_t silence = now_ms(e) - e->feeds->stream.heard_ms;
    int64_t unheard = silence + (e->feeds->stream.quiet || lag < 0 ? 0 : lag);
    return silence > SILENCE_MS && unheard > lag ? unheard : lag;
}
