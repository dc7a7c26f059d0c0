/* forget.c - see forget.h. Owns nothing between calls. */
#include "service/forget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_POINTS 512

/* Does an enabled collection, of whatever source, write to the same one? Names are compared by what they lead
 * to. */
static enum lks_code look_who_shares(const struct forget_request *request, const char *target,
                                     struct forget_sum *sum, struct lks_err *err)
{
    for (size_t i = 0; i < request->config->collection_count && !sum->shared; i++) {
        const struct config_collection *c = &request->config->collections[i];
        char *theirs;
        if (!c->enabled) continue;
        enum lks_code code = qdrant_resolve(request->qdrant, c->qdrant_collection, &theirs, err);
        if (code) return code;
        if (strcmp(theirs, target) == 0) sum->shared = c->name;
        free(theirs);
    }
    return LKS_E_OK;
}

static enum lks_code look_at_qdrant(const struct forget_request *request, struct forget_sum *sum,
                                    struct lks_err *err)
{
    struct qdrant_info info;
    int64_t all = 0;
    enum lks_code code = qdrant_info(request->qdrant, request->index, &info, err);
    if (code || !info.exists) return code;
    sum->exists = true;
    if (info.other_alias) snprintf(sum->alias, sizeof sum->alias, "%s", info.other_alias);
    code = look_who_shares(request, info.target, sum, err);
    qdrant_info_fini(&info);
    if (!code) code = qdrant_count(request->qdrant, request->index, "", &sum->points, err);
    if (!code) code = qdrant_count(request->qdrant, request->index, NULL, &all, err);
    sum->others = all > sum->points ? all - sum->points : 0;
    return code;
}

enum lks_code forget_look(const struct forget_request *request, struct forget_sum *sum, struct lks_err *err)
{
    *sum = (struct forget_sum){.entries = 0};
    enum lks_code code = look_at_qdrant(request, sum, err);
    return code ? code : mongo_entries(request->mongo, request->collection->name, &sum->entries, err);
}

bool forget_keeps(const struct forget_sum *sum, char *out, size_t bytes)
{
    if (sum->shared)
        snprintf(out, bytes, "the enabled collection %s has the same one", sum->shared);
    else if (sum->alias[0])
        snprintf(out, bytes, "the alias \"%s\" leads to it, too", sum->alias);
    else if (sum->others)
        snprintf(out, bytes, "it holds %lld points of others", (long long)sum->others);
    else
        return false;
    return true;
}

static enum lks_code delete_page(const struct forget_request *request, const struct stamp *found,
                                 size_t count, struct lks_err *err)
{
    const char *ids[PAGE_POINTS];
    size_t n = 0;
    for (size_t i = 0; i < count && n < PAGE_POINTS; i++)
        if (found[i].ours) ids[n++] = found[i].point_id;
    return qdrant_delete(request->qdrant, request->index, ids, n, err);
}

/* Others keep points in the collection: ours go one by one. */
static enum lks_code delete_ours(const struct forget_request *request, int64_t total, struct forget_sum *done,
                                 struct lks_err *err)
{
    char next[POINT_ID_BYTES] = "";
    enum lks_code code;
    do {
        struct stamp *found;
        size_t count;
        code = qdrant_page(request->qdrant, request->index, NULL, 0, next, PAGE_POINTS, &found, &count, next,
                           err);
        if (code) return code;
        code = delete_page(request, found, count, err);
        qdrant_stamps_free(found, count);
        if (!code) done->points += (int64_t)count;
        if (!code && request->progress &&
            !request->progress(request->self, "points", (uint64_t)done->points, total))
            code = lks_fail(err, LKS_E_CANCELLED, "stopped; what is left can be forgotten later");
    } while (!code && next[0]);
    return code;
}

struct entries {
    const struct forget_request *request;
    int64_t total;
};

static bool entries_progress(void *self, int64_t done)
{
    const struct entries *e = self;
    return !e->request->progress ||
           e->request->progress(e->request->self, "entries", (uint64_t)done, e->total);
}

enum lks_code forget(const struct forget_request *request, struct forget_sum *done, struct lks_err *err)
{
    struct forget_sum sum;
    *done = (struct forget_sum){.entries = 0};
    enum lks_code code = forget_look(request, &sum, err);
    if (code) return code;
    char reason[400];
    bool keeps = forget_keeps(&sum, reason, sizeof reason);
    done->others = sum.others;
    done->shared = sum.shared;
    memcpy(done->alias, sum.alias, sizeof done->alias);
    if (sum.exists && keeps && !sum.shared) {
        code = delete_ours(request, sum.points, done, err);
    } else if (sum.exists && !keeps) {
        code = qdrant_drop(request->qdrant, request->index, &done->exists, err);
        if (!code) done->points = sum.points;
    }
    struct entries entries = {.request = request, .total = sum.entries};
    if (!code)
        code = mongo_forget(request->mongo, request->collection->name, entries_progress, &entries,
                            &done->entries, err);
    return code;
}
