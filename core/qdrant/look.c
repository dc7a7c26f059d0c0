/*
 * look.c - calls that wait for stamps: points by id or page by page, and deleting by id; for commands and
 * the API.
 *
 * Like those of wait.c they use what is immutable in the adapter only. They own nothing after they return.
 */
#include <stdlib.h>

#include "qdrant/qdrant_ask.h"
#include "qdrant/whole.h"

#define IDS_MAX 1000
#define WHOLE_IDS_MAX 64 /* whole payloads may be large */

static void hand_over(struct stamps *list, struct stamp **found, size_t *count)
{
    *found = list->items;
    *count = list->count;
}

static enum lks_code look_at(struct qdrant *q, size_t collection, const char *const *ids, size_t count,
                             bool whole, const char *path, struct stamps *list, struct lks_err *err)
{
    const struct qdrant_collection *c = &q->collections[collection];
    size_t first = list->count;
    struct qdrant_ask a;
    ask_init(&a);
    body_retrieve(&a.body, ids, count, whole ? "true" : "[\"_lockstep\"]", whole);
    if (!ask_run(&a, q, "POST", c->url, path, "look into \"%s\"", c->name)) {
        verdict_broken(&a.v, reply_stamps(a.v.result, q->source, list, NULL), a.what);
        if (!a.v.code && whole)
            verdict_broken(&a.v, whole_check(a.v.result, list->items + first, list->count - first), a.what);
    }
    return ask_end(&a, err);
}

static bool found_since(const struct stamps *list, size_t from, const char *id)
{
    while (from < list->count && strcmp(list->items[from].point_id, id) != 0) from++;
    return from < list->count;
}

/* All replicas are asked; what they do not agree on, or where they can't all be asked, is what one says. */
static enum lks_code look_at_all(struct qdrant *q, size_t collection, const char *const *ids, size_t count,
                                 struct stamps *list, struct lks_err *err)
{
    const char *rest[WHOLE_IDS_MAX];
    size_t first = list->count, n = 0;
    enum lks_code code = look_at(q, collection, ids, count, true, "/points?consistency=all", list, err);
    bool agreed = code == LKS_E_OK;
    if (code && code != LKS_E_QDRANT_UNAVAILABLE) return code;
    for (size_t i = 0; i < count; i++)
        if (!agreed || !found_since(list, first, ids[i])) rest[n++] = ids[i];
    first = list->count;
    if (n) code = look_at(q, collection, rest, n, true, "/points", list, err);
    for (size_t i = first; i < list->count && agreed; i++) list->items[i].differs = true;
    return code;
}

enum lks_code qdrant_look(struct qdrant *q, size_t collection, const char *const *ids, size_t count,
                          bool whole, struct stamp **found, size_t *found_count, struct lks_err *err)
{
    struct stamps list = {0};
    size_t most = whole ? WHOLE_IDS_MAX : IDS_MAX;
    enum lks_code code = ask_collection(q, collection, err);
    *found = NULL;
    *found_count = 0;
    for (size_t i = 0; i < count && !code; i += most) {
        size_t n = count - i < most ? count - i : most;
        code = whole ? look_at_all(q, collection, ids + i, n, &list, err)
                     : look_at(q, collection, ids + i, n, false, "/points", &list, err);
    }
    if (code) {
        stamps_fini(&list);
        return code;
    }
    stamps_unique(&list);
    hand_over(&list, found, found_count);
    return LKS_E_OK;
}

/* One try; *limit is lowered if strict mode allows only smaller pages. */
static enum lks_code page(struct qdrant *q, size_t collection, const char *const *docs, size_t doc_count,
                          const char *from, size_t *limit, struct stamps *list, char next[POINT_ID_BYTES],
                          struct lks_err *err)
{
    const struct qdrant_collection *c = &q->collections[collection];
    struct qdrant_ask a;
    ask_init(&a);
    body_scroll(&a.body, q->source, docs, doc_count, from, *limit);
    if (!ask_run(&a, q, "POST", c->url, "/points/scroll", "scroll \"%s\"", c->name))
        verdict_broken(&a.v, reply_stamps(a.v.result, q->source, list, next), a.what);
    if (a.v.code && a.v.limit && a.v.limit < *limit) *limit = a.v.limit;
    return ask_end(&a, err);
}

enum lks_code qdrant_page(struct qdrant *q, size_t collection, const char *const *docs, size_t doc_count,
                          const char *from, size_t max, struct stamp **found, size_t *found_count,
                          char next[POINT_ID_BYTES], struct lks_err *err)
{
    struct stamps list = {0};
    size_t limit = max, before;
    char begin[POINT_ID_BYTES];
    enum lks_code code = ask_collection(q, collection, err);
    *found = NULL;
    *found_count = 0;
    snprintf(begin, sizeof begin, "%s", from); /* `next` may be the same memory */
    if (code) return code;
    do {
        before = limit;
        stamps_fini(&list);
        next[0] = '\0';
        code = page(q, collection, docs, doc_count, begin, &limit, &list, next, err);
    } while (code && limit < before);
    if (code)
        stamps_fini(&list);
    else
        hand_over(&list, found, found_count);
    return code;
}

void qdrant_stamps_free(struct stamp *found, size_t count)
{
    struct stamps list = {.items = found, .count = count};
    stamps_fini(&list);
}

enum lks_code qdrant_delete(struct qdrant *q, size_t collection, const char *const *ids, size_t count,
                            struct lks_err *err)
{
    struct qdrant_ask a;
    enum lks_code code = ask_collection(q, collection, err);
    if (code || count == 0) return code;
    const struct qdrant_collection *c = &q->collections[collection];
    ask_init(&a);
    body_delete(&a.body, ids, count);
    ask_run(&a, q, "POST", c->url, "/points/delete?wait=true", "delete from \"%s\"", c->name);
    verdict_operation(&a.v, a.what);
    return ask_end(&a, err);
}
