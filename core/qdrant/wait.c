/*
 * wait.c - the calls that wait for their answer: search, retrieve, count, look, drop, ping.
 *
 * They use the adapter's immutable configuration and the HTTP loop only, so any thread may call them, also
 * while the port is busy. They own nothing after they return.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qdrant/qdrant_ask.h"

/* ---- points ---- */

void qdrant_points_fini(struct qdrant_points *points)
{
    for (size_t i = 0; i < points->count; i++) {
        free(points->items[i].payload);
        free(points->items[i].vector);
    }
    free(points->items);
    *points = (struct qdrant_points){0};
}

/* An unnamed vector; a named or sparse one is left out. */
static bool read_vector(struct scan *s, struct qdrant_point *p)
{
    size_t capacity = 0;
    double value;
    if (!scan_array(s)) return true;
    while (scan_element(s)) {
        if (p->dimensions == capacity) {
            capacity = capacity ? 2 * capacity : 256;
            float *grown = realloc(p->vector, capacity * sizeof *grown);
            if (!grown) return false;
            p->vector = grown;
        }
        p->vector[p->dimensions++] = scan_double(s, &value) ? (float)value : 0;
    }
    return true;
}

static enum reply_state read_point(struct scan *s, struct qdrant_point *p)
{
    struct slice key, raw;
    if (!scan_object(s)) return REPLY_BROKEN;
    while (scan_member(s, &key)) {
        if (slice_is(key, "id")) {
            if (scan_peek(s) == '"') {
                scan_text(s, p->id, sizeof p->id);
            } else {
                scan_skip(s, &raw);
                snprintf(p->id, sizeof p->id, "%.*s", (int)raw.bytes, raw.data);
            }
        } else if (slice_is(key, "score")) {
            if (!scan_double(s, &p->score)) p->score = 0;
        } else if (slice_is(key, "payload") && scan_peek(s) == '{') {
            scan_skip(s, &raw);
            free(p->payload);
            p->payload = strndup(raw.data, raw.bytes);
        } else if (slice_is(key, "vector") && !p->vector) {
            if (!read_vector(s, p)) return REPLY_NOMEM;
        } else {
            scan_skip(s, NULL);
        }
    }
    if (!p->payload) p->payload = strdup("{}");
    return s->bad || !p->id[0] ? REPLY_BROKEN : p->payload ? REPLY_OK : REPLY_NOMEM;
}

static enum reply_state read_points(struct scan *s, struct qdrant_points *out)
{
    size_t capacity = 0;
    if (!scan_array(s)) return REPLY_BROKEN;
    while (scan_element(s)) {
        if (out->count == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            struct qdrant_point *grown = realloc(out->items, capacity * sizeof *grown);
            if (!grown) return REPLY_NOMEM;
            out->items = grown;
        }
        out->items[out->count] = (struct qdrant_point){0};
        enum reply_state state = read_point(s, &out->items[out->count++]);
        if (state != REPLY_OK) return state;
    }
    return s->bad ? REPLY_BROKEN : REPLY_OK;
}

/* `result` is an array (retrieve) or has one in `points` (query). */
static void take_points(struct qdrant_ask *a, struct qdrant_points *out)
{
    struct scan s;
    struct slice key;
    enum reply_state state = REPLY_BROKEN;
    if (a->v.code) return;
    scan_init(&s, a->v.result.data, a->v.result.bytes);
    if (scan_peek(&s) == '[') {
        state = read_points(&s, out);
    } else if (scan_object(&s)) {
        while (scan_member(&s, &key)) {
            if (slice_is(key, "points"))
                state = read_points(&s, out);
            else
                scan_skip(&s, NULL);
        }
    }
    verdict_broken(&a->v, state, a->what);
    if (a->v.code) qdrant_points_fini(out);
}

enum lks_code qdrant_search(struct qdrant *q, size_t collection, const float *vector, size_t dimensions,
                            size_t limit, const char *filter, struct qdrant_points *out, struct lks_err *err)
{
    struct qdrant_ask a;
    *out = (struct qdrant_points){0};
    if (ask_collection(q, collection, err)) return LKS_E_CONFIG;
    const struct qdrant_collection *c = &q->collections[collection];
    ask_init(&a);
    body_query(&a.body, vector, dimensions, limit, filter);
    ask_run(&a, q, "POST", c->url, "/points/query", "search \"%s\"", c->name);
    take_points(&a, out);
    return ask_end(&a, err);
}

enum lks_code qdrant_retrieve(struct qdrant *q, size_t collection, const char *const *ids, size_t count,
                              bool with_vector, struct qdrant_points *out, struct lks_err *err)
{
    struct qdrant_ask a;
    *out = (struct qdrant_points){0};
    if (ask_collection(q, collection, err)) return LKS_E_CONFIG;
    const struct qdrant_collection *c = &q->collections[collection];
    ask_init(&a);
    body_retrieve(&a.body, ids, count, "true", with_vector);
    ask_run(&a, q, "POST", c->url, "/points", "retrieve from \"%s\"", c->name);
    take_points(&a, out);
    return ask_end(&a, err);
}

enum lks_code qdrant_count(struct qdrant *q, size_t collection, const char *filter, int64_t *points,
                           struct lks_err *err)
{
    struct qdrant_ask a;
    *points = 0;
    if (ask_collection(q, collection, err)) return LKS_E_CONFIG;
    const struct qdrant_collection *c = &q->collections[collection];
    ask_init(&a);
    body_count(&a.body, filter && !*filter ? q->source_filter : filter);
    if (!ask_run(&a, q, "POST", c->url, "/points/count", "count points of \"%s\"", c->name))
        verdict_broken(&a.v, reply_count(a.v.result, points), a.what);
    return ask_end(&a, err);
}

enum lks_code qdrant_epochs(struct qdrant *q, size_t collection, uint64_t floor, uint64_t own,
                            int64_t *points, uint64_t *highest, struct lks_err *err)
{
    struct qdrant_ask a;
    struct buf filter;
    *points = 0;
    *highest = 0;
    buf_init(&filter, 0);
    body_epoch_filter(&filter, q->source, floor, own);
    enum lks_code code = filter.failed ? lks_fail(err, LKS_E_NOMEM, "memory is out")
                                       : qdrant_count(q, collection, filter.data, points, err);
    if (!code && *points) {
        const struct qdrant_collection *c = &q->collections[collection];
        ask_init(&a);
        body_highest_epoch(&a.body, filter.data);
        if (!ask_run(&a, q, "POST", c->url, "/points/scroll", "find the highest epoch in \"%s\"", c->name))
            verdict_broken(&a.v, reply_highest(a.v.result, highest), a.what);
        code = ask_end(&a, err);
    }
    buf_fini(&filter);
    return code;
}

/* ---- collections ---- */

/* The collection behind the name, which may be its own; NULL with a.v set on failure. */
static char *find_target(struct qdrant_ask *a, struct qdrant *q, const char *name)
{
    char *target = NULL;
    if (ask_run(a, q, "GET", q->url, "/aliases", "list aliases")) return NULL;
    target = reply_alias_target(a->v.result, name);
    if (!target) target = strdup(name);
    if (!target) a->v.code = lks_fail(&a->v.err, LKS_E_NOMEM, "memory is out");
    return target;
}

void qdrant_info_fini(struct qdrant_info *info)
{
    free(info->target);
    free(info->other_alias);
    *info = (struct qdrant_info){0};
}

/* To be ended with ask_end(). */
static enum lks_code ask_info(struct qdrant_ask *a, struct qdrant *q, const struct qdrant_collection *c,
                              struct reply_info *info)
{
    ask_init(a);
    if (!ask_run(a, q, "GET", c->url, "", "look at collection \"%s\"", c->name))
        verdict_broken(&a->v, reply_info(a->v.result, info), a->what);
    return a->v.code;
}

enum lks_code qdrant_info(struct qdrant *q, size_t collection, struct qdrant_info *out, struct lks_err *err)
{
    struct qdrant_ask a;
    struct reply_info info;
    *out = (struct qdrant_info){0};
    if (ask_collection(q, collection, err)) return LKS_E_CONFIG;
    const struct qdrant_collection *c = &q->collections[collection];
    enum lks_code code = ask_info(&a, q, c, &info);
    if (code == LKS_E_NOT_FOUND) {
        ask_end(&a, NULL);
        return LKS_E_OK;
    }
    if (code) return ask_end(&a, err);
    out->exists = true;
    out->dimensions = info.single ? (size_t)info.size : 0;
    out->points = (int64_t)info.points;
    memcpy(out->distance, info.distance, sizeof out->distance);
    memcpy(out->status, info.status, sizeof out->status);
    out->target = find_target(&a, q, c->name);
    if (out->target) out->other_alias = reply_alias_beside(a.v.result, out->target, c->name);
    if (!out->target) qdrant_info_fini(out);
    return ask_end(&a, err);
}

enum lks_code qdrant_fits(struct qdrant *q, size_t collection, size_t dimensions, struct lks_err *err)
{
    struct qdrant_ask a;
    struct reply_info info;
    if (ask_collection(q, collection, err)) return LKS_E_CONFIG;
    const struct qdrant_collection *c = &q->collections[collection];
    enum lks_code code = ask_info(&a, q, c, &info);
    if (!code) code = a.v.code = collection_fits(c, &info, dimensions, &a.v.err);
    if (code == LKS_E_NOT_FOUND) {
        ask_end(&a, NULL);
        return LKS_E_OK;
    }
    return ask_end(&a, err);
}

enum lks_code qdrant_resolve(struct qdrant *q, const char *name, char **target, struct lks_err *err)
{
    struct qdrant_ask a;
    ask_init(&a);
    *target = find_target(&a, q, name);
    return ask_end(&a, err);
}

enum lks_code qdrant_drop(struct qdrant *q, size_t collection, bool *existed, struct lks_err *err)
{
    struct qdrant_ask a;
    bool result = false;
    if (existed) *existed = false;
    if (ask_collection(q, collection, err)) return LKS_E_CONFIG;
    const struct qdrant_collection *c = &q->collections[collection];
    ask_init(&a);
    char *target = find_target(&a, q, c->name);
    char *url = target ? collection_url(q->url, target) : NULL;
    if (target && !url) a.v.code = lks_fail(&a.v.err, LKS_E_NOMEM, "memory is out");
    if (url && !ask_run(&a, q, "DELETE", url, "", "delete collection \"%s\"", target)) {
        struct scan s;
        scan_init(&s, a.v.result.data, a.v.result.bytes);
        if (!scan_bool(&s, &result)) verdict_broken(&a.v, REPLY_BROKEN, a.what);
    }
    if (existed) *existed = result;
    free(target);
    free(url);
    return ask_end(&a, err);
}

enum lks_code qdrant_ping(struct qdrant *q, int *version, struct lks_err *err)
{
    struct qdrant_ask a;
    int found = 0;
    ask_init(&a);
    /* what needs the key, so that a wrong one shows; GET / answers everybody */
    ask_run(&a, q, "GET", q->url, "/collections", "ask Qdrant");
    if (!a.v.code && version) {
        ask_run(&a, q, "GET", q->url, "/", "ask Qdrant's version");
        if (!a.call.failure && a.call.status == 200 && a.call.reply.data)
            found = reply_version(a.call.reply.data, a.call.reply.bytes);
        a.v.code = LKS_E_OK; /* a server that keeps its version to itself is still there */
    }
    if (version) *version = found;
    return ask_end(&a, err);
}
