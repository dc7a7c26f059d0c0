/* agg_group.c - $group: parsing, accumulating. What it keeps lives in the pipeline's own pool. */
#include "agg_int.h"
#include "text.h"

#include <stdlib.h>

struct slot {
    struct val v; /* sum, extreme, first, last or merged */
    int64_t count;
    struct val *list;
    size_t n, cap;
    bool any;
};

struct group {
    struct group *chain, *next;
    uint64_t hash;
    uint8_t *key;
    size_t key_bytes;
    struct val id;
    struct slot slots[];
};

int group_parse(struct pool *a, struct val spec, struct stage *s, struct merr *err)
{
    static const struct {
        const char *name;
        enum acc_kind kind;
    } known[] = {
        {"$sum", ACC_SUM},           {"$avg", ACC_AVG},   {"$min", ACC_MIN},   {"$max", ACC_MAX},
        {"$first", ACC_FIRST},       {"$last", ACC_LAST}, {"$push", ACC_PUSH}, {"$addToSet", ACC_ADD_TO_SET},
        {"$mergeObjects", ACC_MERGE}};
    if (!val_is_doc(spec)) return merr_set(err, 15947, "a group's fields must be specified in an object");
    s->accs = pool_alloc(a, (doc_count(spec) + 1) * sizeof *s->accs);
    struct iter it;
    for (iter_init(&it, spec); iter_next(&it);) {
        if (!strcmp(it.key, "_id")) {
            if (s->expr) return merr_set(err, 15948, "a group's _id may only be specified once");
            if (expr_parse(a, it.v, NULL, &s->expr, err)) return err->code;
            continue;
        }
        struct accumulator *acc = &s->accs[s->acc_count++];
        struct iter op;
        acc->name = it.key;
        if (memchr(it.key, '.', it.keylen))
            return merr_set(err, 40235, "The field name '%s' cannot contain '.'", it.key);
        if (it.key[0] == '$')
            return merr_set(err, 40236, "The field name '%s' cannot be an operator name", it.key);
        iter_init(&op, it.v);
        if (!val_is_doc(it.v) || !iter_next(&op))
            return merr_set(err, 40234, "The field '%s' must be an accumulator object", it.key);
        if (doc_count(it.v) != 1)
            return merr_set(err, 40238, "The field '%s' must specify one accumulator", it.key);
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i].name, op.key)) i++;
        if (i == sizeof known / sizeof *known)
            return merr_set(err, 15952, "unknown group operator '%s'", op.key);
        acc->kind = known[i].kind;
        if (expr_parse(a, op.v, NULL, &acc->expr, err)) return err->code;
    }
    return s->expr ? 0 : merr_set(err, 15955, "a group specification must include an _id");
}

static uint64_t hash_bytes(const uint8_t *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static void rehash(struct stage *s)
{
    size_t n = s->bucket_count ? s->bucket_count * 2 : 64;
    free(s->buckets);
    s->buckets = xcalloc(n, sizeof *s->buckets);
    s->bucket_count = n;
    for (struct group *g = s->first; g; g = g->next) {
        g->chain = s->buckets[g->hash & (n - 1)];
        s->buckets[g->hash & (n - 1)] = g;
    }
}

static struct group *find_group(struct stage *s, struct val id, struct pool *keep)
{
    struct kbuf k;
    kbuf_init(&k);
    uint8_t missing = val_missing(id);
    kbuf_raw(&k, &missing, 1);
    keystring_put(&k, id, false);
    uint64_t h = hash_bytes(k.p, k.n);
    if (s->group_count >= s->bucket_count) rehash(s);
    struct group *g = s->buckets[h & (s->bucket_count - 1)];
    while (g && (g->hash != h || g->key_bytes != k.n || memcmp(g->key, k.p, k.n))) g = g->chain;
    if (!g) {
        g = pool_alloc(keep, sizeof *g + s->acc_count * sizeof *g->slots);
        memset(g, 0, sizeof *g + s->acc_count * sizeof *g->slots);
        g->hash = h;
        g->key = pool_copy(keep, k.p, k.n);
        g->key_bytes = k.n;
        g->id = val_dup(keep, id);
        g->chain = s->buckets[h & (s->bucket_count - 1)];
        s->buckets[h & (s->bucket_count - 1)] = g;
        *s->last = g;
        s->last = &g->next;
        s->group_count++;
    }
    kbuf_fini(&k);
    return g;
}

static void append(struct slot *sl, struct val v, struct pool *keep)
{
    if (sl->n == sl->cap) {
        size_t cap = sl->cap ? sl->cap * 2 : 4;
        struct val *list = pool_alloc(keep, cap * sizeof *list);
        if (sl->n) memcpy(list, sl->list, sl->n * sizeof *list);
        sl->list = list;
        sl->cap = cap;
    }
    sl->list[sl->n++] = val_dup(keep, v);
}

static void accumulate(struct slot *sl, enum acc_kind kind, struct val v, struct pipeline *p)
{
    int c;
    switch (kind) {
    case ACC_SUM:
    case ACC_AVG:
        if (!sl->any) sl->v = val_dup(p->keep, val_new_i32(p->c->a, 0)), sl->any = true;
        if (!val_is_num(v)) return;
        sl->count++;
        v = expr_add(p->c, sl->v, v);
        /* in place while the type stays: sums are taken millions of times */
        if (v.t == sl->v.t && v.n <= 8) {
            memcpy((uint8_t *)(uintptr_t)sl->v.p, v.p, v.n);
        } else {
            sl->v = val_dup(p->keep, v);
        }
        return;
    case ACC_MIN:
    case ACC_MAX:
        if (val_nullish(v)) return;
        c = sl->any ? val_cmp(v, sl->v) : 0;
        if (!sl->any || (kind == ACC_MIN ? c < 0 : c > 0)) sl->v = val_dup(p->keep, v);
        sl->any = true;
        return;
    case ACC_FIRST:
        if (!sl->any) sl->v = val_dup(p->keep, val_missing(v) ? val_null() : v), sl->any = true;
        return;
    case ACC_LAST:
        sl->v = val_dup(p->keep, val_missing(v) ? val_null() : v);
        return;
    case ACC_PUSH:
        if (!val_missing(v)) append(sl, v, p->keep);
        return;
    case ACC_ADD_TO_SET:
        if (val_missing(v)) return;
        for (size_t i = 0; i < sl->n; i++)
            if (val_cmp(sl->list[i], v) == 0) return;
        append(sl, v, p->keep);
        return;
    default:
        break;
    }
    if (val_nullish(v)) return;
    if (!val_is_doc(v)) {
        merr_set(p->c->err, 40400, "$mergeObjects requires object inputs, but input %s is of type %s",
                 text_of(p->c->a, v, TEXT_VALUE), val_type_name(v.t));
        return;
    }
    struct bw w;
    struct iter it;
    bw_init(&w, p->keep);
    for (iter_init(&it, sl->v); iter_next(&it);) {
        struct val now = doc_getn(v, it.key, it.keylen);
        bw_putn(&w, it.key, it.keylen, val_missing(now) ? it.v : now);
    }
    for (iter_init(&it, v); iter_next(&it);)
        if (val_missing(doc_getn(sl->v, it.key, it.keylen))) bw_putn(&w, it.key, it.keylen, it.v);
    sl->v = bw_done(&w);
}

void group_push(struct stage *s, struct val doc, struct pipeline *p)
{
    p->c->root = doc;
    struct val id = expr_eval(s->expr, p->c);
    if (p->c->err->code) return;
    struct group *g = find_group(s, id, p->keep);
    for (size_t i = 0; i < s->acc_count && !p->c->err->code; i++)
        accumulate(&g->slots[i], s->accs[i].kind, expr_eval(s->accs[i].expr, p->c), p);
}

struct group *group_next(struct group *g)
{
    return g->next;
}

struct val group_result(struct stage *s, struct group *g, struct ectx *c)
{
    struct bw w;
    bw_init(&w, c->a);
    bw_put(&w, "_id", val_missing(g->id) ? val_null() : g->id);
    for (size_t i = 0; i < s->acc_count; i++) {
        struct slot *sl = &g->slots[i];
        const char *name = s->accs[i].name;
        switch (s->accs[i].kind) {
        case ACC_AVG:
            if (sl->count) {
                bw_f64(&w, name, val_double(sl->v) / (double)sl->count);
            } else {
                bw_null(&w, name);
            }
            break;
        case ACC_PUSH:
        case ACC_ADD_TO_SET:
            bw_arr(&w, name);
            for (size_t k = 0; k < sl->n; k++) bw_puti(&w, k, sl->list[k]);
            bw_end(&w);
            break;
        case ACC_MERGE:
            bw_put(&w, name, val_missing(sl->v) ? val_empty_doc() : sl->v);
            break;
        default:
            bw_put(&w, name, val_missing(sl->v) ? val_null() : sl->v);
        }
    }
    return bw_done(&w);
}
