/* search.c - see search.h. Owns nothing between calls. */
#include "service/search.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/docid.h"

#define RRF_K 60.0

/* A text member of the payload, or NULL. */
static const char *text_of(const json_t *payload, const char *name)
{
    const char *text = json_string_value(json_object_get(payload, name));
    return text && *text ? text : NULL;
}

static char *copy(const char *text)
{
    return strdup(text ? text : "");
}

static void hit_fini(struct search_hit *hit)
{
    free(hit->name);
    free(hit->key);
    free(hit->id);
    free(hit->payload);
    free(hit->doc);
    free(hit->title);
    free(hit->snippet);
}

/* A point of somebody else has an id of its own, perhaps. */
static char *foreign_id(const json_t *payload, const char *point_id)
{
    static const char *const names[] = {"toolId", "id"};
    char digits[32];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *value = json_object_get(payload, names[i]);
        if (text_of(payload, names[i])) return copy(json_string_value(value));
        if (!json_is_integer(value)) continue;
        snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(value));
        return copy(digits);
    }
    return copy(point_id);
}

static bool fill_hit(struct search_hit *hit, const struct qdrant_point *point)
{
    json_t *payload = json_loads(point->payload, JSON_ALLOW_NUL, NULL);
    const char *key = text_of(json_object_get(payload, "_lockstep"), "key");
    const char *name = text_of(payload, "name"), *doc = text_of(json_object_get(payload, "_lockstep"), "doc");
    bool typed = key && doc && strcmp(key, doc) == 0; /* it was made from the `_id` */
    memcpy(hit->point_id, point->id, sizeof hit->point_id);
    hit->score = point->score;
    hit->key = key ? copy(key) : foreign_id(payload, point->id);
    if (hit->key) hit->id = key ? docid_plain_of_key(key, typed) : copy(hit->key);
    hit->name = copy(name ? name : hit->id);
    hit->doc = doc ? copy(doc) : NULL;
    bool whole = !doc || hit->doc;
    if (payload) json_object_del(payload, "_lockstep");
    hit->payload = payload ? json_dumps(payload, JSON_COMPACT) : copy("{}");
    json_decref(payload);
    return whole && hit->key && hit->id && hit->name && hit->payload;
}

static void ask(struct qdrant *qdrant, const struct search_collection *c, const float *vector,
                size_t dimensions, const char *filter, size_t limit, struct search_result *out)
{
    struct qdrant_points points = {.items = NULL};
    enum lks_code code =
        qdrant_search(qdrant, c->index, vector, dimensions, limit, filter, &points, &out->err);
    if (code == LKS_E_NOT_FOUND) /* no collection, no points: it is made when the first document is there */
        lks_err_clear(&out->err);
    else if (code != LKS_E_OK)
        return;
    out->hits = calloc(points.count + 1, sizeof *out->hits);
    for (size_t i = 0; out->hits && i < points.count; i++) {
        out->count++;
        if (!fill_hit(&out->hits[i], &points.items[i])) lks_fail(&out->err, LKS_E_NOMEM, "out of memory");
    }
    if (!out->hits) lks_fail(&out->err, LKS_E_NOMEM, "out of memory");
    qdrant_points_fini(&points);
}

/* The vector of the query for this collection's embedder: made once, used by all that share it. */
struct query_vector {
    float *vector;
    size_t dimensions;
    struct lks_err err;
    bool made;
};

static struct query_vector *vector_for(struct query_vector *vectors, struct embedders *embedders,
                                       size_t embedder, const char *text)
{
    struct query_vector *v = &vectors[embedder];
    if (!v->made) {
        v->made = true;
        if (embed_query(embedders, embedder, text, &v->vector, &v->dimensions, &v->err) != LKS_E_OK)
            v->vector = NULL;
    }
    return v;
}

static struct search_hit *find_fused(struct search_results *out, const char *key)
{
    for (size_t i = 0; i < out->fused_count; i++)
        if (strcmp(out->fused[i].key, key) == 0) return &out->fused[i];
    return NULL;
}

static int by_score(const void *a, const void *b)
{
    double x = ((const struct search_hit *)a)->score, y = ((const struct search_hit *)b)->score;
    return x < y ? 1 : x > y ? -1 : 0;
}

static bool fuse_hit(struct search_results *out, const struct search_hit *hit, size_t rank)
{
    struct search_hit *fused = find_fused(out, hit->key);
    if (!fused) {
        fused = &out->fused[out->fused_count];
        *fused = (struct search_hit){.score = 0,
                                     .name = copy(hit->name),
                                     .key = copy(hit->key),
                                     .id = copy(hit->id),
                                     .payload = copy(hit->payload)};
        memcpy(fused->point_id, hit->point_id, sizeof fused->point_id);
        out->fused_count++;
        if (!fused->name || !fused->key || !fused->id || !fused->payload) return false;
    }
    fused->score += 1.0 / (RRF_K + (double)rank + 1.0);
    return true;
}

static bool fuse(struct search_results *out, size_t limit)
{
    size_t most = 0;
    for (size_t i = 0; i < out->count; i++) most += out->collections[i].count;
    out->fused = calloc(most + 1, sizeof *out->fused);
    if (!out->fused) return false;
    for (size_t i = 0; i < out->count; i++)
        for (size_t k = 0; k < out->collections[i].count; k++)
            if (!fuse_hit(out, &out->collections[i].hits[k], k)) return false;
    if (out->fused_count > 1) qsort(out->fused, out->fused_count, sizeof *out->fused, by_score);
    while (out->fused_count > limit) hit_fini(&out->fused[--out->fused_count]);
    return true;
}

enum lks_code search(struct embedders *embedders, struct qdrant *qdrant,
                     const struct search_collection *collections, size_t count, const char *text,
                     const char *filter, size_t limit, struct search_results *out, struct lks_err *err)
{
    size_t embedder_count = 0;
    *out = (struct search_results){.count = 0};
    for (size_t i = 0; i < count; i++)
        if (collections[i].embedder >= embedder_count) embedder_count = collections[i].embedder + 1;
    struct query_vector *vectors = calloc(embedder_count + 1, sizeof *vectors);
    out->collections = calloc(count + 1, sizeof *out->collections);
    enum lks_code code = vectors && out->collections ? LKS_E_OK : lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; i < count && code == LKS_E_OK; i++) {
        const struct query_vector *v = vector_for(vectors, embedders, collections[i].embedder, text);
        struct search_result *result = &out->collections[out->count++];
        result->collection = collections[i].name;
        if (v->vector)
            ask(qdrant, &collections[i], v->vector, v->dimensions, filter, limit, result);
        else
            result->err = v->err;
    }
    if (code == LKS_E_OK && !fuse(out, limit)) code = lks_fail(err, LKS_E_NOMEM, "out of memory");
    for (size_t i = 0; vectors && i < embedder_count; i++) free(vectors[i].vector);
    free(vectors);
    if (code != LKS_E_OK) search_fini(out);
    return code;
}

void search_fini(struct search_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        for (size_t k = 0; k < results->collections[i].count; k++) hit_fini(&results->collections[i].hits[k]);
        free(results->collections[i].hits);
    }
    free(results->collections);
    for (size_t i = 0; i < results->fused_count; i++) hit_fini(&results->fused[i]);
    free(results->fused);
    for (size_t i = 0; i < results->note_count; i++) free(results->notes[i]);
    free(results->notes);
    *results = (struct search_results){.count = 0};
}
